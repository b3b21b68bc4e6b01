// The server's camera on the page: pictures, a box, a stall, and the return.
// node camera.mjs ADDRESS STREAM
import assert from "node:assert/strict";
import fs from "node:fs";
import { Hand, launch, watch } from "./browser.mjs";

const [, , address, stream] = process.argv;
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 900, height: 700 } });
const complaints = [], asked = new Set();
watch(page, complaints, asked);

await page.goto(`${address}#/camera`);
await page.selectOption("[aria-label=Camera]", { label: "127.0.0.1/yard.mjpg" });
await page.getByRole("button", { name: "Start" }).click();
await page.waitForFunction(() => /frames per second/.test(document.querySelector(".camera-bar").textContent));
const hand = new Hand(page, "#camera-stage", 256, 192);
await hand.draw([60, 70, 40, 40]);

// Whether the colour of the first target is drawn at the upper edge of the box.
const drawn = () => page.evaluate(([x, y]) => {
  const canvas = document.querySelector("#camera-stage");
  const bounds = canvas.getBoundingClientRect();
  const ratio = canvas.width / canvas.clientWidth;
  const data = canvas.getContext("2d").getImageData((x - bounds.left) * ratio - 8, (y - bounds.top) * ratio - 12, 17, 25).data;
  for (let k = 0; k < data.length; k += 4) {
    if (Math.abs(data[k] - 0x33) + Math.abs(data[k + 1] - 0xd1) + Math.abs(data[k + 2] - 0x7a) < 30) return true;
  }
  return false;
}, at);
const at = await hand.place([80, 70]);
for (let k = 0; k < 100 && !(await drawn()); k++) await page.waitForTimeout(50);
assert.ok(await drawn(), "no box is drawn");

assert.match(await page.textContent("#camera-targets"), /Target 1(tracked|uncertain|lost) \d\.\d\d/);

await fetch(`${stream}stall`);
await page.waitForSelector("#stall:not([hidden])");
assert.match(await page.textContent("#stall"), /sent nothing for \d+ s/);
await fetch(`${stream}return`);
await page.waitForSelector("#stall", { state: "hidden" });
assert.ok(await drawn(), "the target is forgotten");

// A second box by keyboard.
await page.getByRole("button", { name: "Clear all boxes" }).click();
for (let k = 0; k < 100 && (await drawn()); k++) await page.waitForTimeout(50);
await page.locator("#camera-stage").focus();
await page.keyboard.press("n");
for (let k = 0; k < 4; k++) await page.keyboard.press("Shift+ArrowLeft");
await page.keyboard.press("ArrowUp");
await page.keyboard.press("+");
await page.keyboard.press("Control+ArrowRight");
await page.keyboard.press("Enter");
const [left, top, side] = [104 - 40, 72 - 1, 48];
const edge = await hand.place([left + side / 2, top - 1]);
at.splice(0, 2, ...edge);
for (let k = 0; k < 100 && !(await drawn()); k++) await page.waitForTimeout(50);
assert.ok(await drawn(), "no box by keyboard");
// Record to a file; remove the target by the list.
await page.click("#record");
await page.waitForTimeout(1500);
const saving = page.waitForEvent("download");
await page.click("#record");
const saved = await saving;
assert.match(saved.suggestedFilename(), /^siamtrack-camera-.*\.(mp4|webm)$/);
assert.ok(fs.statSync(await saved.path()).size > 1000, "the recording is empty");
await page.locator("#camera-targets button").click();
await page.waitForFunction(() => !document.querySelector("#camera-targets li"));
// The whole picture is seen.
const shape = await page.evaluate(() => {
  const bounds = document.querySelector("#camera-stage").getBoundingClientRect();
  return [bounds.bottom <= window.innerHeight + 1, bounds.right <= window.innerWidth + 1];
});
assert.deepEqual(shape, [true, true]);
await page.getByRole("button", { name: "Stop" }).click();

assert.deepEqual(complaints, []);
assert.deepEqual([...asked].filter((host) => host && host !== new URL(address).host), []);
console.log(JSON.stringify({ ok: true }));
await browser.close();
