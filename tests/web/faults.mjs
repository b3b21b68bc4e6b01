// What goes wrong for people: each is a sentence, and the page goes on.
// node faults.mjs BUILT CLIP FOLDER WEBM
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { blank, Hand, ISOLATED, launch, modulePage, serve, Visit } from "./browser.mjs";

const [, , built, clip, folder, webm] = process.argv;
const site = path.join(built, "site");
const flipped = (bytes) => {
  const bad = Buffer.from(bytes);
  bad[bad.length >> 1] ^= 1;
  return bad;
};
const fourCores = async (page) => {
  const session = await page.context().newCDPSession(page);
  await session.send("Emulation.setHardwareConcurrencyOverride", { hardwareConcurrency: 4 });
};

// A damaged model is refused; the page still opens videos, and works after a reload.
let host = await serve(site, { bent: { "/models/lite/search.onnx": flipped } });
let browser = await launch();
let context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
let visit = await Visit.to(context, host.address);
assert.equal(
  await visit.text("#engine"),
  "No tracking: lite/search.onnx is damaged (its hash differs from the one that this page was built with): " +
    "reload the page, or build it again with `make web`.",
);
await visit.open(clip);
await new Hand(visit.page, "#stage", 640, 272).draw([200, 60, 80, 80]);
assert.ok(await visit.page.isDisabled("#track"));
delete host.bent["/models/lite/search.onnx"];
await visit.page.reload();
await visit.ready();
assert.match(await visit.text("#engine"), /^The model runs/);

// What the browser cannot decode; then a video that it can.
const files = { "notes.mp4": "These are notes.", "empty.webm": "", "cut.mp4": fs.readFileSync(clip).subarray(0, 9000) };
for (const [name, content] of Object.entries(files)) {
  const file = path.join(folder, name);
  fs.writeFileSync(file, content);
  await visit.open(file);
  const said = await visit.text("#fault");
  assert.match(said, new RegExp(`^${name} cannot be played by this browser \\(.+\\): convert it to MP4`));
}
await visit.open(clip);
assert.ok(await visit.page.isHidden("#fault"));

// A WebM file does not tell its frames: a few are watched.
await visit.page.click("#to-home");
await visit.open(webm);
assert.match(await visit.text("#clock"), /^of 50 · 0\.00 s$/);

// A camera that is not there.
await visit.page.click("#to-home");
await visit.page.click("#camera");
await visit.page.waitForSelector("#fault:not([hidden])");
assert.match(await visit.text("#fault"), /^the camera (gives no pictures|may not be used)/);

// The tab sleeps while it tracks, and goes on.
await visit.open(clip);
await visit.goto(76);
await new Hand(visit.page, "#stage", 640, 272).draw([398, 52, 118, 218]);
await visit.page.click("#track");
await visit.past(78);
const session = await context.newCDPSession(visit.page);
await session.send("Page.setWebLifecycleState", { state: "frozen" });
await new Promise((resolve) => setTimeout(resolve, 3000));
await session.send("Page.setWebLifecycleState", { state: "active" });
const woken = Number(await visit.page.inputValue("#frame"));
await visit.past(woken + 2);
await visit.page.click("#stop");
await visit.idle();
// The browser itself complains of a file without a byte.
assert.deepEqual(visit.rest().filter((text) => !/RANGE_NOT_SATISFIABLE/.test(text)), []);
await context.close();
await host.close();

// Threads forbidden: no service worker, so no isolation.
host = await serve(site, { bent: { "/sw.js": null } });
context = await browser.newContext();
const page = await context.newPage();
await fourCores(page);
await page.goto(host.address);
await page.waitForFunction(() => document.body.dataset.engine);
assert.equal(await page.textContent("#engine"), "The model runs in WebAssembly, 1 thread.");
assert.match(await page.textContent("#notes"), /^the page is not isolated .+ forbids threads: the model runs in one$/);
await context.close();
await host.close();

// What a program can do wrong with the module.
host = await serve(path.join(built, "dist"), { more: blank, headers: ISOLATED, bent: {} });
const program = await modulePage(await browser.newContext(), host.address);
const said = await program.evaluate(async () => {
  const { Siamtrack } = await import("/siamtrack.js");
  const told = [];
  const wrong = (make) => make().then(() => told.push(null), (error) => told.push(`${error.name}: ${error.message}`));
  await wrong(() => Siamtrack.load({ model: "heavy" }));
  await wrong(() => Siamtrack.load({ threads: 0 }));
  await wrong(() => Siamtrack.load({ base: "/nowhere/" }));
  const tracker = await Siamtrack.load({ backend: "wasm" });
  const frame = new ImageData(64, 48);
  await wrong(() => tracker.update(frame));
  await wrong(() => tracker.init(frame, [100, 10, 20, 20]));
  await wrong(() => tracker.init(frame, [1, 2, 3]));
  await tracker.init(frame, [10, 10, 20, 20]);
  await wrong(() => tracker.update(new ImageData(32, 48)));
  await wrong(() => tracker.update(document.createElement("video")));
  const canvas = new OffscreenCanvas(64, 48);
  canvas.getContext("2d").fillRect(0, 0, 9, 9);
  // Orders that nobody waits for are carried out in turn, with the pixels of their time
  const image = new ImageData(64, 48);
  const turn = [tracker.init(canvas, [5, 5, 20, 20]), tracker.update(image), tracker.add(canvas, [9, 9, 9, 9]), tracker.updateAll(canvas)];
  image.data.fill(9);
  const [first, second, third, both] = await Promise.all(turn);
  await wrong(() => tracker.update(canvas));
  tracker.close();
  await wrong(() => tracker.update(canvas));
  return [told, [first.id, second.id, third.id, both.map(({ id }) => id)]];
});
assert.deepEqual(said[1], [0, 0, 1, [0, 1]]);
[
  /^RangeError: model heavy: not known here; known: lite$/,
  /^RangeError: threads 0: expected a whole number above 0$/,
  /^Error: the tracker's worker stopped/,
  /^Error: update before init/,
  /^RangeError: box 100 10 20 20 lies outside the frame of 64x48 pixels/,
  /^RangeError: box: expected four numbers, left top width height in pixels$/,
  /^RangeError: a frame of 32x48 pixels: target 0 was started in frames of 64x48/,
  /^Error: the video shows no picture yet/,
  /^Error: 2 targets: use updateAll, which returns them all$/,
  /^Error: the tracker was closed: load it again$/,
].forEach((wanted, k) => assert.match(said[0][k] ?? "", wanted));
await browser.close();

// A processor, and so a browser, without SIMD.
browser = await launch("--js-flags=--no-enable-sse4-1 --no-enable-ssse3");
const old = await modulePage(await browser.newContext(), host.address);
const refused = await old.evaluate(async () => {
  const { Siamtrack } = await import("/siamtrack.js");
  return Siamtrack.load().then(() => "", (error) => error.message);
});
assert.match(refused, /^this browser's WebAssembly has no SIMD, .+ update the browser/);
await browser.close();
await host.close();
console.log(JSON.stringify({ ok: true }));
