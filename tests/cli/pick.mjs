// Draw two targets on the page of `track --pick`, press Track, and see the run to its end.
// node pick.mjs ADDRESS WIDTH HEIGHT FRAME SHOW [FOLDER for screenshots]
import assert from "node:assert/strict";
import { Hand, launch, watch } from "../studio/browser.mjs";

const [, , address, width, height, at, shows, folder] = process.argv;
const browser = await launch();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
const complaints = [], asked = new Set();
watch(page, complaints, asked);
const shot = (name) => folder && page.screenshot({ path: `${folder}/${name}.png` });

await page.goto(address);
await page.waitForSelector("#stage");
assert.ok(!page.url().includes("token"), "the address bar keeps no token");
const live = await page.evaluate(async () => (await (await fetch("/api/clip")).json()).live);
if (!live) {
  await page.waitForFunction((frame) => document.querySelector("#slider").max >= frame, Number(at));
  await page.locator("#slider").fill(at);
  await page.waitForFunction((frame) => document.querySelector("#where").textContent === `frame ${frame}`, at);
  await page.waitForTimeout(500);
} else {
  await page.waitForTimeout(1500);
}
assert.ok(await page.locator("#track").isDisabled(), "nothing to track yet");

const hand = new Hand(page, "#stage", Number(width), Number(height));
await hand.draw([60, 70, 40, 40]);
await page.waitForSelector("#list li");
await page.keyboard.type("Anna");
await page.keyboard.press("Tab"); // over the button that removes the box
await page.keyboard.press("Tab");
await page.keyboard.type("person");
await hand.draw([20, 20, 30, 30]);
await page.waitForFunction(() => document.querySelectorAll("#list li").length === 2);
assert.equal(await page.locator("#list li").nth(1).locator("input").nth(1).inputValue(), "person", "the class is kept");
await hand.draw([120, 90, 20, 20]);
await page.locator("#list li").nth(2).locator("button").click();
assert.equal(await page.locator("#list li").count(), 2);
await shot("pick");
for (const [scheme, wide] of [["dark", 1280], ["light", 390]]) {
  await page.emulateMedia({ colorScheme: scheme });
  await page.setViewportSize({ width: wide, height: 800 });
  await page.waitForTimeout(150);
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(overflow <= 0, `the page is ${overflow} too wide at ${wide}`);
  await shot(`pick-${scheme}-${wide}`);
}
await page.setViewportSize({ width: 1280, height: 800 });
await page.locator("#track").click();
if (shows === "1") {
  await page.waitForURL(/\/show$/);
  await page.waitForFunction(() => document.querySelector("#live").naturalWidth > 0);
  await page.waitForFunction(() => /frames/.test(document.querySelector("#after-text").textContent));
  await page.waitForTimeout(800);
  await shot("show");
  if (live) await page.locator("#stop").click();
}
await page.waitForFunction(() => /are tracked|has ended/.test(document.querySelector("#after-text").textContent));
const text = await page.locator("#after-text").textContent();
await shot("done");
await browser.close();
assert.deepEqual(complaints.filter((each) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE|ERR_EMPTY/.test(each)), []);
asked.delete(""); // the file that leads to the page
assert.equal(asked.size, 1, [...asked].join(" "));
console.log(JSON.stringify({ ok: true, text }));
