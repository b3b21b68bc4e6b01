// What a person does with the page, by mouse and keyboard, on line and off.
// node journey.mjs SITE CLIP FOLDER
import assert from "node:assert/strict";
import { Hand, launch, serve, Visit } from "./browser.mjs";

const [, , site, clip, folder] = process.argv;
const FIRST = 76; // a cyclist, and a sign
const CYCLIST = [398, 52, 118, 218];
const TRACKED = 3; // a car hides the cyclist soon

let host = await serve(site);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
const visit = await Visit.to(context, host.address);
const { page } = visit;
const hand = new Hand(page, "#stage", 640, 272);

// The first visit is isolated already, by the page's own service worker: the host sets no header.
assert.equal(await page.evaluate(() => crossOriginIsolated), true);
assert.match(await visit.text("#engine"), /^The model runs in WebAssembly, \d+ threads?\.$/);

// Open, draw by mouse, track, see the box move, stop.
await visit.open(clip);
assert.match(await visit.text("#clock"), /^of 250 · 0\.00 s$/);
await visit.goto(FIRST);
await hand.draw(CYCLIST);
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 1);
await page.click("#track");
await visit.past(FIRST + TRACKED);
await page.click("#stop");
await visit.idle();
assert.match(await visit.text("#job"), /frames, [\d.]+ frames\/s/);
assert.match(await page.locator("#targets .state").textContent(), /tracked|uncertain|lost/);
await page.locator("#targets input[type=text]").fill("cyclist");
await page.locator("#targets input[type=text]").press("Enter");
await page.locator("#stage").focus();
const csvFile = await visit.export("csv", folder);

// Correct: drag the box, and track on from there.
const here = Number(await page.inputValue("#frame"));
const box = await boxAt(csvFile, here);
await hand.drag([box[0] + box[2] / 2, box[1] + box[3] / 2], [box[0] + box[2] / 2 + 9, box[1] + box[3] / 2]);
await page.waitForFunction(() => document.querySelector("#targets .state").textContent === "key frame");

// A second target by keyboard.
await page.locator("#stage").focus();
await page.keyboard.press("n");
for (let k = 0; k < 3; k++) await page.keyboard.press("Shift+ArrowLeft");
assert.match(await visit.text("#hint"), /Enter keeps it/);
await page.keyboard.press("Enter");
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
await page.keyboard.press("f");
await visit.past(here + 2);
await page.locator("#stage").focus();
await page.keyboard.press("s");
await visit.idle();

// Take it away: what was corrected is corrected in the files.
const files = {};
for (const format of ["csv", "jsonl", "json"]) files[format] = await visit.export(format, folder);
const moved = await boxAt(files.csv, here);
assert.ok(Math.abs(moved[0] - box[0] - 9) < 2 && Math.abs(moved[1] - box[1]) < 2, `${moved} after ${box}`);

// Off line after the first visit, with the host gone.
await page.waitForFunction(async () => {
  const [name] = await caches.keys();
  const kept = await (await caches.open(name)).keys();
  return kept.some(({ url }) => url.endsWith("/siamtrack.js") || url.endsWith("manifest.webmanifest"));
});
await page.waitForTimeout(1000);
const { address } = host;
await host.close();
await context.setOffline(true);
const later = await Visit.to(context, address);
assert.equal(await later.page.evaluate(() => document.body.dataset.engine.split(" ")[0]), "wasm");
await later.open(clip);
await new Hand(later.page, "#stage", 640, 272).draw([200, 60, 80, 80]);
await later.page.click("#track");
await later.past(2);
await later.page.click("#stop");
await later.idle();

// Nothing was asked of another host, and the policy lets nothing else in.
const refused = await later.page.evaluate(async () => {
  const told = [];
  document.addEventListener("securitypolicyviolation", (event) => told.push(event.effectiveDirective));
  await fetch("https://example.org/").catch(() => {});
  const script = document.createElement("script");
  script.textContent = "window.bad = true";
  document.body.append(script);
  const image = new Image();
  image.src = "https://example.org/a.png";
  await new Promise((resolve) => setTimeout(resolve, 300));
  return [[...new Set(told)].sort(), window.bad]; // the page and its service worker both say so
});
assert.deepEqual(refused, [["connect-src", "img-src", "script-src-elem"], undefined]);
assert.deepEqual(visit.rest(), []);
const own = new URL(address).host;
assert.deepEqual([...visit.asked].filter((name) => name && name !== own), []);
await browser.close();
console.log(JSON.stringify({ files, here, first: FIRST }));

async function boxAt(file, frame) {
  const { readFileSync } = await import("node:fs");
  const row = readFileSync(file, "utf8").split("\n").map((line) => line.split(",")).find((each) => each[0] === String(frame) && each[2] === "0");
  return row.slice(3, 7).map(Number);
}
