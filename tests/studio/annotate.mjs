// The first hour of somebody who annotates: draw, track, correct by plain drag, class, doubtful,
// export to CVAT with few key frames. Ends with exit code 0 and a line of JSON.
// node annotate.mjs ADDRESS FOLDER
import assert from "node:assert/strict";
import { Hand, launch, shower, watch } from "./browser.mjs";

const [, , address, folder] = process.argv;
const FIRST = 76; // a cyclist whom a van hides, and a sign
const CYCLIST = [398, 52, 118, 218], SIGN = [265, 90, 58, 48];

const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
const page = await context.newPage();
const complaints = [], asked = new Set();
watch(page, complaints, asked);
const hand = new Hand(page, "#stage", 640, 272);

const goto = shower(page);
const get = (path) => page.evaluate(async (path) => {
  const answer = await fetch(`/api/projects/${location.hash.split("/").pop()}${path}`);
  return answer.json();
}, path);
const idle = async () => {
  await page.waitForFunction(() => document.querySelector("#job-buttons").hidden);
  for (let k = 0; k < 200 && (await get("")).job.state !== "idle"; k++) await page.waitForTimeout(50);
};
const count = (wanted) => page.waitForFunction((n) => document.querySelectorAll("#targets li").length === n, wanted);
const targets = async () => (await get("")).targets;
const keys = async (id) => (await targets()).find((each) => each.id === id).keys.map(([frame]) => frame);
const near = (a, b, far) => a.every((value, k) => Math.abs(value - b[k]) <= far);
const selected = () => page.locator("#targets li.selected").getAttribute("data-target").then(Number);
const until = async (what, words) => {
  for (let k = 0; k < 200; k++) {
    if (await what()) return;
    await page.waitForTimeout(50);
  }
  assert.fail(words);
};

// The first page shows the clip: a picture, its length, and that nothing was begun.
await page.goto(`${address}#/clips`);
await page.waitForFunction(() => document.querySelector("#clips img")?.naturalWidth > 100);
assert.match(await page.textContent("#clips .card"), /bikes\.mp4/);
await page.waitForFunction(() => /^0:10$/.test(document.querySelector("#clips .length").textContent));
assert.match(await page.textContent("#clips .facts"), /Not begun/);
await page.click("#clips .open");
await page.waitForFunction(() => document.querySelector("#stage").dataset.frame === "0");

// Draw and track.
await goto(FIRST);
await hand.draw(CYCLIST);
await count(1);
await page.click("#track-on");
await page.waitForFunction((to) => Number(document.querySelector("#stage").dataset.frame) > to, FIRST + 12);
await page.click("#stop");
await idle();

// A plain drag elsewhere corrects what is selected: a key frame, no second target; one step of undo.
await goto(FIRST + 4);
const moved = [420, 40, 120, 200];
await hand.draw(moved);
await page.waitForFunction(() => /corrected · N for a new target/.test(document.querySelector("#hint").textContent));
assert.ok((await keys(0)).includes(FIRST + 4), "no key frame by a plain drag");
await idle();
assert.equal((await targets()).length, 1);
await page.keyboard.press("Control+z");
await until(async () => (await keys(0)).length === 1, "undo takes more than one step");
await page.keyboard.press("Control+Shift+z");
await until(async () => (await keys(0)).length === 2, "redo");
await page.keyboard.press("Control+z");
await until(async () => (await keys(0)).length === 1, "undo again");

// A new target is begun by its key or its button, also over the box of another; one step of undo.
await page.keyboard.press("?");
assert.match(await page.textContent("#help-dialog"), /Drag\s*Correct the selected target/);
assert.match(await page.textContent("#help-dialog"), /N\s*New target/);
await page.keyboard.press("Escape");
await goto(FIRST);
await page.keyboard.press("n");
assert.match(await page.textContent("#hint"), /Drag a box around the new target/);
await hand.draw([430, 100, 60, 60]);
await count(2);
assert.equal(await selected(), 1);
await page.keyboard.press("Control+z");
await count(1);
assert.equal(await selected(), 0, "undo hands the selection back");
await page.click("#new");
await page.keyboard.press("Escape");
await hand.drag([CYCLIST[0] + 60, CYCLIST[1] + 100], [CYCLIST[0] + 62, CYCLIST[1] + 100]);
await page.waitForTimeout(300);
assert.equal((await targets()).length, 1, "Esc does not end a new target");
await page.click("#new");
await hand.draw(SIGN);
await count(2);

// A click selects; a drag that begins on the other's box corrects the selected one.
await page.mouse.click(...(await hand.place([CYCLIST[0] + 60, CYCLIST[1] + 150])));
await page.waitForFunction(() => document.querySelector("#targets li.selected").dataset.target === "0");
const sign = (await targets())[1].keys;
await hand.drag([270, 95], [300, 160]);
await until(async () => (await targets())[0].keys[0][1][0] < 300, "the drag did not correct the selected target");
assert.deepEqual((await targets())[1].keys, sign);
await page.keyboard.press("Control+z");
await until(async () => near((await targets())[0].keys[0][1], CYCLIST, 3), "undo of that");
await idle();

// After a reload the same target is selected, and a drag still corrects.
await page.reload();
await count(2);
assert.equal(await selected(), 0);

// Classes: made in the field, given by number key and list, shown, and colors by class.
await page.fill("#new-class", "person");
await page.press("#new-class", "Enter");
await until(async () => (await targets())[0].class === "person", "a new class goes to the selected target");
await page.fill("#new-class", "traffic sign");
await page.press("#new-class", "Enter");
await page.waitForFunction(() => document.querySelectorAll("#classes li").length === 2);
await page.locator("#targets li").nth(1).click({ position: { x: 4, y: 4 } });
await page.locator("#stage").focus();
await page.keyboard.press("2");
await until(async () => (await targets())[1].class === "traffic sign", "no class by number key");
assert.equal(await page.locator("#targets select").nth(1).inputValue(), "=traffic sign");
const paint = (row) => page.locator("#targets input[type=color]").nth(row).inputValue();
const classPaint = await page.locator("#classes input[type=color]").first().inputValue();
assert.equal(await paint(0), classPaint);
await page.keyboard.press("Shift+Digit1");
await page.waitForFunction(() => document.querySelector("#targets li.selected").dataset.target === "0");
await page.locator("#targets select").first().selectOption("=traffic sign");
await until(async () => (await targets())[0].class === "traffic sign", "no class by the list");
assert.equal(await paint(0), await paint(1));
await page.click("#by-class");
assert.notEqual(await paint(0), await paint(1), "own colors");
await page.click("#by-class");
await page.locator("#stage").focus();
await page.keyboard.press("1");
await until(async () => (await targets())[0].class === "person", "back by number key");

// The next doubtful: from where one looks, and again from the beginning behind the last.
await goto(FIRST);
await page.click("#track-on");
await page.waitForFunction((to) => Number(document.querySelector("#stage").dataset.frame) > to, FIRST + 40);
await page.click("#stop");
await idle();
const marked = (await get("/doubts")).doubts.flatMap(([id, all]) => all.map(([first]) => first)).sort((a, b) => a - b);
assert.ok(marked.length > 0, "the van raises no doubt");
assert.ok(marked[0] > FIRST);
await goto(FIRST);
await page.keyboard.press("l");
await page.waitForFunction((at) => document.querySelector("#frame").value === String(at), marked[0]);
assert.match(await page.textContent("#hint"), /lost|uncertain|jumps|rests/);
await goto(249);
await page.keyboard.press("l");
await page.waitForFunction((at) => document.querySelector("#frame").value === String(at), marked[0]);

// Check backwards: its own progress, its marks, and what is shown stays as it was.
const before = JSON.stringify((await get("/tracks")).tracks);
await page.click("#check");
await page.waitForFunction(() => /Tracking backwards/.test(document.querySelector("#toast").textContent));
assert.equal(JSON.stringify((await get("/tracks")).tracks), before);

// A message leaves the time line free.
const [toast, line] = [await page.locator("#toast").boundingBox(), await page.locator("#timeline").boundingBox()];
assert.ok(toast.y + toast.height < line.y, "the message covers the time line");

// The theme changes with the first click, and back with the second.
const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const first = await ground();
await page.click("#theme");
assert.notEqual(await ground(), first);
await page.click("#theme");
assert.equal(await ground(), first);

// Compare asks to track with the second model, and then shows what that finds.
await page.click("#compare");
await page.waitForSelector("#second-ask:not([hidden])");
assert.match(await page.textContent("#second-ask"), /ciresnet22-slim has not tracked this clip yet/);
await page.click("#track-second");
await page.waitForSelector("#second-ask", { state: "hidden" });
await until(async () => {
  const found = (await get("/tracks?model=ciresnet22-slim")).tracks;
  return found.some(([, parts]) => parts.some((part) => part.rows?.length > 2));
}, "the second model does not track");
await page.click("#stop");
await idle();
await page.click("#compare");

// Export to CVAT with few key frames.
await page.click("#export");
assert.equal(await page.isChecked("#thin"), true);
await page.fill("#thin-pixels", "2");
const waiting = page.waitForEvent("download");
await page.click("#export-cvat");
await (await waiting).saveAs(`${folder}/annotations.xml`);

// The first page knows what was done; rename; a wrong address says so; delete.
await page.goto(`${address}#/clips`);
await page.waitForFunction(() => /2 targets/.test(document.querySelector("#clips .facts")?.textContent));
await page.hover("#clips .card");
await page.getByRole("button", { name: "Rename bikes.mp4" }).click();
await page.fill(".card-ask input", "street");
await page.keyboard.press("Enter");
await page.waitForFunction(() => document.querySelector("#clips .name")?.textContent === "street");
await page.goto(`${address}#/p/0123456789abcdef`);
await page.waitForFunction(() => /no project at this address/.test(document.querySelector("#notice")?.textContent));
await page.goto(`${address}#/nonsense`);
await page.waitForFunction(() => /no project at this address/.test(document.querySelector("#notice")?.textContent));
await page.hover("#clips .card");
await page.getByRole("button", { name: "Delete street" }).click();
assert.match(await page.textContent("#sure-dialog"), /2 targets/);
await page.locator("#sure-dialog .danger").click();
await page.waitForFunction(() => /Not begun/.test(document.querySelector("#clips .facts")?.textContent));

assert.deepEqual(complaints.filter((text) => !/status of 404/.test(text)), []);
assert.deepEqual([...asked].filter((host) => host && host !== new URL(address).host), []);
console.log(JSON.stringify({ ok: true }));
await browser.close();
