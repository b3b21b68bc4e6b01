// The whole journey of a person, in real Chromium. Ends with exit code 0 and a line of JSON.
// node journey.mjs ADDRESS FOLDER CLIP
import { execSync } from "node:child_process";
import assert from "node:assert/strict";
import fs from "node:fs";
import { Hand, launch, watch } from "./browser.mjs";

const [, , address, folder, clip] = process.argv;
const FIRST = 76; // a cyclist, and a sign
const CYCLIST = [398, 52, 118, 218], SIGN = [265, 90, 58, 48];
const WIDTH = 640, HEIGHT = 272;

const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
const page = await context.newPage();
const complaints = [], asked = new Set();
watch(page, complaints, asked);
const hand = new Hand(page, "#stage", WIDTH, HEIGHT);
const place = (at) => hand.place(at), drag = (from, to) => hand.drag(from, to), draw = (box) => hand.draw(box);

const shown = (frame) =>
  page.waitForFunction((at) => document.querySelector("#stage").dataset.frame === String(at), frame);
const idle = () => page.waitForFunction(() => document.querySelector("#job-buttons").hidden);
const targets = () => page.locator("#targets li").count();
const state = (row) => page.locator("#targets li").nth(row).locator(".state").textContent();
const name = (row) => page.locator("#targets li").nth(row).locator("input[type=text]");

async function goto(frame) {
  await page.fill("#frame", String(frame));
  await page.press("#frame", "Enter");
  await shown(frame);
}

// What the server knows of a target in a frame.
const known = (frame, id = 0) =>
  page.evaluate(async ([frame, id]) => {
    const project = location.hash.split("/").pop();
    const { tracks } = await (await fetch(`/api/projects/${project}/tracks`)).json();
    const found = tracks.find((each) => each[0] === id);
    for (const part of found ? found[1] : []) {
      const row = part.rows && part.rows[frame - part.first];
      if (row) return row;
    }
    return null;
  }, [frame, id]);

const near = (a, b, far) => a.every((value, k) => Math.abs(value - b[k]) <= far);

// The colours of the picture around a place, to see that a box is really drawn there.
const drawnAt = (x, y, colour) =>
  page.evaluate(([x, y, colour]) => {
    const canvas = document.querySelector("#stage");
    const ratio = canvas.width / canvas.clientWidth;
    const bounds = canvas.getBoundingClientRect();
    const [cx, cy] = [(x - bounds.left) * ratio, (y - bounds.top) * ratio];
    const data = canvas.getContext("2d").getImageData(cx - 6, cy - 6, 13, 13).data;
    const want = [1, 3, 5].map((k) => parseInt(colour.slice(k, k + 2), 16));
    for (let k = 0; k < data.length; k += 4) {
      if (want.every((value, c) => Math.abs(value - data[k + c]) < 40)) return true;
    }
    return false;
  }, [x, y, colour]);

async function boxIsDrawn(frame, id, colour) {
  const [l, t, w, h] = await known(frame, id);
  assert.ok(await drawnAt(...(await place([l + w, t + h * 0.3])), colour), `no box at frame ${frame}`);
}

// Open: a single clip opens by itself.
await page.goto(address);
await page.waitForSelector("#work-view:not([hidden])");
await shown(0);
assert.equal(await page.textContent("#title"), "bikes.mp4");

// Draw by mouse.
await goto(FIRST);
await draw(CYCLIST);
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 1);
assert.ok(near((await known(FIRST)).slice(0, 4), CYCLIST, 2));
const colour = await page.locator("#targets li input[type=color]").inputValue();
await page.waitForTimeout(200);
await boxIsDrawn(FIRST, 0, colour);

// Track forwards; see the box move while it goes on; pause, go on, stop.
await page.click("#track-on");
await page.waitForFunction((first) => Number(document.querySelector("#stage").dataset.frame) > first + 2, FIRST);
await page.click("#pause");
await page.waitForFunction(() => document.querySelector("#pause").textContent === "Continue");
const paused = await page.textContent("#job");
assert.match(paused, /Paused/);
await page.click("#pause");
await page.waitForFunction((first) => Number(document.querySelector("#stage").dataset.frame) > first + 8, FIRST);
await page.click("#stop");
await idle();
await page.waitForTimeout(300);
await goto(FIRST + 3);
const moved = await known(FIRST + 3);
assert.ok(!near(moved.slice(0, 4), CYCLIST, 0.01), "the box stands still");
await boxIsDrawn(FIRST + 3, 0, colour);
assert.match(await state(0), /tracked|uncertain|lost/);

// Backwards, by keyboard, a little.
await goto(FIRST);
await page.locator("#stage").focus();
await page.keyboard.press("b");
await page.waitForFunction((first) => Number(document.querySelector("#stage").dataset.frame) < first - 1, FIRST);
await page.keyboard.press("s");
await idle();
assert.ok(await known(FIRST - 1));

// Correct by dragging the box: only what depended on it is tracked again.
await goto(FIRST + 4);
const before = await known(FIRST + 2);
const [l, t, w, h] = await known(FIRST + 4);
await drag([l + w / 2, t + h / 2], [l + w / 2 + 12, t + h / 2]);
await page.waitForFunction(() => document.querySelector("#targets .state").textContent === "key frame");
await idle();
await page.waitForTimeout(400);
const fixed = await known(FIRST + 4);
assert.ok(near(fixed.slice(0, 4), [l + 12, t, w, h], 2), `${fixed} after ${[l, t, w, h]}`);
assert.deepEqual(await known(FIRST + 2), before);
assert.ok(await known(FIRST + 6), "the correction was not tracked on");

// Undo and redo.
await page.keyboard.press("Control+z");
await page.waitForFunction(() => document.querySelector("#targets .state").textContent !== "key frame");
assert.ok(near((await known(FIRST + 4)).slice(0, 4), [l, t, w, h], 0.01), "undo brings the old track back");
await page.keyboard.press("Control+Shift+z");
await page.waitForFunction(() => document.querySelector("#targets .state").textContent === "key frame");
assert.deepEqual(await known(FIRST + 4), fixed);

// A second target by keyboard; name it.
await goto(FIRST);
await page.locator("#stage").focus();
await page.keyboard.press("n");
for (let k = 0; k < 3; k++) await page.keyboard.press("Shift+ArrowLeft");
for (let k = 0; k < 4; k++) await page.keyboard.press("Control+ArrowRight");
assert.match(await page.textContent("#hint"), /Enter keeps/);
await page.keyboard.press("Enter");
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
const [kl, , kw, kh] = await known(FIRST, 1);
assert.ok(near([kl, kw, kh], [WIDTH / 2 - 34 - 30, 72, 68], 1), `${[kl, kw, kh]}`);
await name(0).fill("cyclist");
await name(0).press("Enter");

// Absent from a frame on.
await goto(FIRST + 8);
await page.locator("#targets li").first().click();
await page.click("#absent");
await page.waitForFunction(() => document.querySelector("#targets .state").textContent === "absent");

// Scrub on the time line; frame by frame; keyboard list.
const line = await page.locator("#timeline").boundingBox();
await page.mouse.click(line.x + line.width / 2, line.y + 10);
await page.waitForFunction(() => Math.abs(Number(document.querySelector("#stage").dataset.frame) - 125) < 3);
await page.locator("#stage").focus();
const here = Number(await page.inputValue("#frame"));
await page.keyboard.press("ArrowRight");
await shown(here + 1);
await page.keyboard.press("?");
await page.waitForSelector("#help-dialog[open]");
await page.keyboard.press("Escape");

// Play.
await page.keyboard.press(" ");
await page.waitForFunction((from) => Number(document.querySelector("#stage").dataset.frame) > from + 2, here + 1);
await page.keyboard.press(" ");

// What the network sees.
await goto(FIRST + 3);
await page.click("#look summary");
await page.waitForFunction(() => document.querySelector("#look-response").naturalWidth > 100 && document.querySelector("#look-template").naturalWidth > 50);

// Export.
const saved = {};
const left = () => fs.readdirSync(`${folder}/projects`, { recursive: true }).filter((path) => path.includes("exports/"));
for (const format of ["csv", "cvat", "json", "yolo", "mp4"]) {
  await page.click("#export");
  const waiting = page.waitForEvent("download");
  await page.click(`#export-${format}`);
  const download = await waiting;
  saved[format] = `${folder}/${download.suggestedFilename()}`;
  await download.saveAs(saved[format]);
  await page.waitForSelector("#export-dialog", { state: "hidden" });
  assert.equal(await page.textContent("#export"), "Export");
}

// A long one tells how far it is, goes on while one works, and can be cancelled; no file stays.
await page.click("#export");
await page.click("#export-mp4");
await page.waitForFunction(() => /^[1-9]\d* of 250 frames$/.test(document.querySelector("#export-words")?.textContent));
assert.match(await page.textContent("#export"), /Export \d+ %/);
await page.click("#export-cancel");
await page.waitForSelector("#export-dialog", { state: "hidden" });
assert.match(await page.textContent("#toast"), /Canceled/);
for (let k = 0; k < 100 && left().length; k++) await page.waitForTimeout(50);
assert.deepEqual(left(), []);

// So does closing the tab.
const closed = await context.newPage();
await closed.goto(page.url());
await closed.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
await closed.click("#export");
await closed.click("#export-mp4");
await closed.waitForFunction(() => /^[1-9]/.test(document.querySelector("#export-words")?.textContent));
await closed.close();
for (let k = 0; k < 100 && left().length; k++) await page.waitForTimeout(50);
assert.deepEqual(left(), []);
await page.bringToFront();

const rows = fs.readFileSync(saved.csv, "utf8").trim().split("\n").slice(1).map((row) => row.split(","));
const exported = rows.find((row) => row[0] === String(FIRST + 4) && row[2] === "0");
assert.ok(near(exported.slice(3, 7).map(Number), fixed.slice(0, 4), 0.01));
assert.ok(!rows.some((row) => row[2] === "0" && Number(row[0]) >= FIRST + 8), "absent frames are not exported");
assert.match(fs.readFileSync(saved.cvat, "utf8"), /label="cyclist"/);

// The server is killed; the page says so and comes back by itself; nothing is lost.
const all = JSON.stringify([await known(FIRST + 2), await known(FIRST + 4), await known(FIRST - 1)]);
if (process.env.RESTART) {
  execSync(process.env.RESTART, { stdio: "ignore" });
  await page.waitForFunction(() => document.querySelector("#saved").textContent === "Saved");
}
await page.reload();
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
assert.equal(await name(0).inputValue(), "cyclist");
assert.equal(JSON.stringify([await known(FIRST + 2), await known(FIRST + 4), await known(FIRST - 1)]), all);
assert.ok(!(await page.isDisabled("#undo")), "undo is still there");

// A second tab sees what the first does; both draw at once, and nothing is lost.
const other = await context.newPage();
watch(other, complaints, asked);
await other.goto(page.url());
await other.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
await goto(FIRST);
await page.locator("#stage").focus();
await page.keyboard.press("n");
await draw(SIGN.map((value, k) => value + (k === 1 ? 100 : k < 1 ? -200 : 0)));
await other.waitForFunction(() => document.querySelectorAll("#targets li").length === 3);
const both = (tab, first) => tab.evaluate(async (first) => {
  const path = `/api/projects/${location.hash.split("/").pop()}/edits`;
  for (let k = 0; k < 8; k++) {
    const body = JSON.stringify({ do: "draw", frame: k, box: [first, 20, 40, 40], name: `${first}-${k}` });
    await fetch(path, { method: "POST", headers: { "content-type": "application/json" }, body });
  }
}, first);
await Promise.all([both(page, 10), both(other, 300)]);
for (const tab of [page, other]) {
  await tab.waitForFunction(() => document.querySelectorAll("#targets li").length === 19);
}
const names = (tab) => tab.locator("#targets input[type=text]").evaluateAll((all) => all.map((each) => each.value));
assert.deepEqual(await names(page), await names(other));
await other.reload();
await other.waitForFunction(() => document.querySelectorAll("#targets li").length === 19);
await other.close();

const drawn = await targets();

// An upload becomes a project of its own.
await page.goto(`${address}#/clips`);
await page.setInputFiles("#file", clip);
await page.waitForFunction(() => /^#\/p\//.test(location.hash) && document.querySelector("#stage").dataset.frame === "0");
assert.equal(await page.textContent("#title"), "bikes.mp4");
assert.equal(await targets(), 0);
await page.goto(`${address}#/clips`);
await page.waitForSelector("#projects button");

const strange = complaints.filter((text) => !/ERR_CONNECTION_REFUSED|WebSocket connection/.test(text));
assert.deepEqual(strange, []);
assert.deepEqual([...asked].filter((host) => host && host !== new URL(address).host), []);
console.log(JSON.stringify({ ok: true, targets: drawn }));
await browser.close();
