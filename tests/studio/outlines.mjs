// Outlines in the page: off at first, of the box that is shown, and in an export. Ends with exit code
// 0 and a line of JSON. node outlines.mjs ADDRESS FOLDER
import assert from "node:assert/strict";
import fs from "node:fs";
import { Hand, launch, shower, watch } from "./browser.mjs";

const [, , address, folder] = process.argv;
const FIRST = 76, CYCLIST = [398, 52, 118, 218], SIGN = [265, 90, 58, 48];

const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
const page = await context.newPage();
const complaints = [], asked = [];
watch(page, complaints, new Set());
page.on("request", (request) => request.url().includes("/outlines/") && asked.push(request.url()));
const hand = new Hand(page, "#stage", 640, 272);

const goto = shower(page);
const drawn = (count) =>
  page.waitForFunction((n) => document.querySelector("#stage").dataset.outlines === String(n), count);
// The color of the picture in a place of the frame.
const color = async (at) => {
  const [x, y] = await hand.place(at);
  return page.evaluate(([x, y]) => {
    const canvas = document.querySelector("#stage"), bounds = canvas.getBoundingClientRect();
    const ratio = canvas.width / canvas.clientWidth;
    const place = [(x - bounds.left) * ratio, (y - bounds.top) * ratio];
    return [...canvas.getContext("2d").getImageData(...place, 1, 1).data];
  }, [x, y]);
};
const apart = (a, b) => Math.max(...a.map((value, k) => Math.abs(value - b[k])));

await page.goto(address);
await page.waitForSelector("#work-view:not([hidden])");
assert.ok(await page.locator("#outlines-row").isHidden(), "there is no target yet");
await goto(FIRST);
await hand.draw(CYCLIST);
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 1);
await page.waitForTimeout(300);

// Who does not ask gets none, and nothing is asked of the server.
assert.equal(await page.locator("#outlines").isChecked(), false);
await drawn(0);
assert.deepEqual(asked, []);
const inside = [CYCLIST[0] + CYCLIST[2] / 2, CYCLIST[1] + CYCLIST[3] / 2];
const plain = await color(inside);

// With the option the cyclist is tinted; a reload keeps the choice.
await page.click("#outlines");
await drawn(1);
await page.waitForTimeout(100);
assert.ok(apart(await color(inside), plain) > 12, "no tint inside the outline");
await page.reload();
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 1);
await goto(FIRST);
await drawn(1);
await page.screenshot({ path: `${folder}/outlines.png` });

// A corrected box has another outline: the cyclist's place is no longer tinted.
const before = asked.length;
await hand.draw(SIGN);
await page.waitForFunction(() => /corrected/.test(document.querySelector("#hint").textContent));
await drawn(1);
assert.ok(asked.length > before, "no outline was asked for the new box");
await page.waitForTimeout(300);
assert.ok(apart(await color(inside), plain) < 6, "the outline of the old box is still drawn");

// While a track is made the picture goes on, and where it stops there is an outline.
await page.click("#track-on");
await page.waitForFunction((to) => Number(document.querySelector("#stage").dataset.frame) > to, FIRST + 6);
await page.click("#stop");
await page.waitForFunction(() => document.querySelector("#job-buttons").hidden);
await goto(FIRST + 2);
await drawn(1);

// The export has them where the picture shows them, unless that is chosen otherwise.
await page.keyboard.press("x");
assert.equal(await page.locator("#export-masks").inputValue(), "polygons");
assert.ok(await page.locator("#thin").isDisabled(), "outlines have no key frames to choose");
const waiting = page.waitForEvent("download");
await page.click("#export-coco");
const saved = `${folder}/outlines.json`;
await (await waiting).saveAs(saved);
const notes = JSON.parse(fs.readFileSync(saved, "utf8")).annotations;
assert.ok(notes.filter((each) => each.segmentation).length > 6, "no outlines in COCO");

// Off again, by keyboard.
await page.waitForFunction(() => !document.querySelector("#export-dialog").open);
await page.locator("#stage").focus();
await page.keyboard.press("o");
await drawn(0);
assert.equal(await page.locator("#outlines").isChecked(), false);

assert.deepEqual(complaints, []);
await browser.close();
console.log(JSON.stringify({ ok: true }));
