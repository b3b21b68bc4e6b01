// The model on WebGPU, in software where there is no hardware, against what Python recorded.
// node webgpu.mjs BUILT CLIP
import fs from "node:fs";
import path from "node:path";
import { blank, ISOLATED, launch, modulePage, serve } from "./browser.mjs";
import { about, apart } from "./frames.mjs";

const [, , built, clip] = process.argv;
const told = about(clip);
const more = (name) => (name.startsWith("/frames/") ? fs.readFileSync(path.join(clip, `${path.basename(name)}.rgb`)) : blank(name));
const host = await serve(path.join(built, "dist"), { more, headers: ISOLATED });
const browser = await launch("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan");
const page = await modulePage(await browser.newContext(), host.address);
const found = await page.evaluate(async (told) => {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return { none: "requestAdapter gives none" };
  const { Siamtrack } = await import("/siamtrack.js");
  let tracker;
  try {
    tracker = await Siamtrack.load({ backend: "webgpu" });
  } catch (error) {
    return { none: error.message };
  }
  const tracks = [];
  for (let k = 0; k < told.count; k++) {
    const rgb = new Uint8Array(await (await fetch(`/frames/${k}`)).arrayBuffer());
    const image = new ImageData(told.width, told.height);
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) image.data.set([...rgb.subarray(from, from + 3), 255], to);
    tracks.push([k ? await tracker.update(image) : await tracker.init(image, told.boxes[0][1])]);
  }
  return { tracks, engine: tracker.engine };
}, told);
await browser.close();
await host.close();
if (found.none) console.log(JSON.stringify(found));
else {
  const pixels = Math.max(...found.tracks.map((tracks, k) => apart(tracks, told.tracks[k]).pixels));
  console.log(JSON.stringify({ engine: found.engine, pixels }));
}
