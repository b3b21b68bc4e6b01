// Whether everything can be seen, reached and named: wide and on a phone, light and dark.
// node reach.mjs ADDRESS [FOLDER for screenshots]
import assert from "node:assert/strict";
import { Hand, launch, watch } from "./browser.mjs";
import { examine } from "./examine.mjs";

const [, , address, folder] = process.argv;
const browser = await launch();
const faults = [], complaints = [], asked = new Set();

// Something to look at: a cyclist that was tracked, and a sign.
const first = await browser.newPage();
watch(first, complaints, asked);
await first.goto(`${address}#/clips`);
await first.click("#clips button");
await first.waitForFunction(() => document.querySelector("#stage").dataset.frame === "0");
await first.evaluate(async () => {
  const path = `/api/projects/${location.hash.split("/").pop()}`;
  const post = (to, value) => fetch(path + to, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value),
  });
  await post("/edits", { do: "draw", frame: 76, box: [398, 52, 118, 218], name: "Cyclist", class: "person" });
  await post("/edits", { do: "draw", frame: 76, box: [265, 90, 58, 48], name: "A sign with a rather long name" });
  await post("/edits", { do: "class", name: "traffic sign" });
  await post("/job", { do: "start", direction: "forward", frame: 76, count: 60 });
});
await first.waitForFunction(() => /frames,/.test(document.querySelector("#job").textContent));
await first.click("#check");
await first.waitForFunction(() => /checked/.test(document.querySelector("#job").textContent));
await first.close();

for (const phone of [false, true]) {
  for (const scheme of ["light", "dark"]) {
    const context = await browser.newContext({
      viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 }, colorScheme: scheme,
      hasTouch: phone, isMobile: phone, deviceScaleFactor: phone ? 2 : 1,
    });
    const page = await context.newPage();
    watch(page, complaints, asked);
    const look = async (what) => {
      await page.waitForTimeout(250);
      const name = `${what}-${phone ? "phone" : "wide"}-${scheme}`;
      if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: phone });
      faults.push(...(await page.evaluate(examine, phone)).map((words) => `${name}: ${words}`));
    };
    await page.goto(`${address}#/clips`);
    await page.waitForSelector("#clips button");
    await look("home");
    await page.click("#clips button");
    await page.waitForFunction(() => document.querySelector("#stage").dataset.frame === "0");
    await page.waitForSelector("#targets li");
    await page.fill("#frame", "90");
    await page.press("#frame", "Enter");
    await page.waitForFunction(() => document.querySelector("#stage").dataset.frame === "90");
    await look("work");
    await page.locator("#targets li").first().click({ position: { x: 3, y: 3 } });
    await page.locator("#look summary").click();
    await look("selected");
    if (!phone) {
      await page.click("#compare");
      await look("compare");
      await page.click("#compare");
    }
    await page.locator("#export").click();
    await look("export");
    await page.getByRole("button", { name: "Close" }).click();
    await page.evaluate(() => window.scrollTo(0, 0));
    if (phone) {
      await page.locator("#stage").focus();
      await page.keyboard.press("?");
    } else await page.click("#help");
    await look("help");
    await page.getByRole("button", { name: "Close" }).click();
    await page.goto(`${address}#/p/0000000000000000`);
    await page.waitForSelector("#notice");
    await look("nowhere");
    await page.hover("#clips .card");
    await page.locator("#clips .card-tools button").last().click();
    await look("delete");
    await page.getByRole("button", { name: "Keep it" }).click();
    await page.goto(`${address}#/camera`);
    await page.waitForSelector("#camera-stage");
    await look("camera");
    await context.close();
  }
}

// By keyboard alone: Tab comes to everything, in the order of the page, and one sees where one is.
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
watch(page, complaints, asked);
await page.goto(`${address}#/clips`);
await page.click("#clips button");
await page.waitForFunction(() => document.querySelector("#stage").dataset.frame === "0");
await page.fill("#frame", "80");
await page.press("#frame", "Enter");
await page.waitForFunction(() => document.querySelector("#stage").dataset.frame === "80");
await page.evaluate(() => document.activeElement.blur());
const reached = new Set();
for (let k = 0; k < 120; k++) {
  await page.keyboard.press("Tab");
  const [id, ring] = await page.evaluate(() => {
    const at = document.activeElement;
    return [at === document.body ? "BODY" : at.id || at.className || at.tagName, getComputedStyle(at).outlineStyle];
  });
  if (reached.has(id) && id === "skip") break;
  reached.add(id);
  if (id !== "BODY" && ring === "none") faults.push(`${id}: no ring when it has the focus`);
}
for (const id of ["to-home", "compare", "to-camera", "theme", "help", "stage", "play", "frame", "track-back", "track-both", "track-on", "timeline", "new", "confirm", "doubt", "check", "new-class"]) {
  if (!reached.has(id)) faults.push(`${id}: Tab does not come there`);
}
await page.locator("#timeline").focus();
await page.keyboard.press("ArrowRight");
await page.waitForFunction(() => document.querySelector("#timeline").getAttribute("aria-valuenow") === "81");

assert.deepEqual(faults, []);
const wrong = complaints.filter((text) => /status of 404/.test(text)); // the wrong address, each time
assert.equal(wrong.length, 4);
assert.deepEqual(complaints.filter((text) => !wrong.includes(text)), []);
console.log(JSON.stringify({ ok: true }));
await browser.close();
