// Boxes and states of the module in Chromium, against what Python recorded.
// node parity.mjs BUILT THREADS CLIP...
import fs from "node:fs";
import path from "node:path";
import { blank, ISOLATED, launch, modulePage, serve } from "./browser.mjs";
import { about, apart } from "./frames.mjs";

const [, , built, threads, ...clips] = process.argv;
const more = (name) => {
  const found = /^\/frames\/(\d+)\/(\d+)$/.exec(name);
  return found ? fs.readFileSync(path.join(clips[found[1]], `${found[2]}.rgb`)) : blank(name);
};
const host = await serve(path.join(built, "dist"), { more, headers: ISOLATED });
const browser = await launch();
const page = await modulePage(await browser.newContext(), host.address);
const results = [];
let engine;
for (const [number, clip] of clips.entries()) {
  const told = about(clip);
  const run = await page.evaluate(async ({ number, told, threads }) => {
    const { Siamtrack } = await import("/siamtrack.js");
    const tracker = await Siamtrack.load({ model: "lite", backend: "wasm", threads, ...told.options });
    const frame = async (k) => {
      const rgb = new Uint8Array(await (await fetch(`/frames/${number}/${k}`)).arrayBuffer());
      const image = new ImageData(told.width, told.height);
      for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
        image.data.set(rgb.subarray(from, from + 3), to);
        image.data[to + 3] = 255;
      }
      return image;
    };
    const tracks = [];
    for (let k = 0; k < told.count; k++) {
      const image = await frame(k);
      if (k) tracks.push(await tracker.updateAll(image));
      else {
        const first = [];
        for (const [id, box] of told.boxes) first.push(await tracker.add(image, box, id));
        tracks.push(first);
      }
    }
    const engine = tracker.engine;
    tracker.close();
    return { tracks, engine };
  }, { number, told, threads: Number(threads) });
  engine = run.engine;
  const each = run.tracks.map((tracks, k) => apart(tracks, told.tracks[k]));
  results.push({
    pixels: Math.max(...each.map((one) => one.pixels)),
    score: Math.max(...each.map((one) => one.score)),
    states: each.reduce((sum, one) => sum + one.states, 0),
    lost: run.tracks.flat().filter(({ state }) => state === "lost").length,
    frames: each.length,
  });
}
await browser.close();
await host.close();
console.log(JSON.stringify({ engine, results }));
