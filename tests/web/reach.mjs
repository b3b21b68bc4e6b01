// Whether everything on the page can be seen, reached and named: wide and on a phone, light and dark.
// node reach.mjs SITE CLIP [FOLDER for screenshots]
import assert from "node:assert/strict";
import { Hand, launch, serve, Visit } from "./browser.mjs";
import { examine } from "../studio/examine.mjs";

const [, , site, clip, folder] = process.argv;
const host = await serve(site);
const browser = await launch();
const faults = [];
for (const phone of [false, true]) {
  const context = await browser.newContext({
    viewport: phone ? { width: 390, height: 844 } : { width: 1280, height: 800 },
    hasTouch: phone, isMobile: phone, deviceScaleFactor: phone ? 2 : 1,
  });
  const visit = await Visit.to(context, host.address);
  const { page } = visit;
  const look = async (what) => {
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(300);
      const name = `${what}-${phone ? "phone" : "wide"}-${colorScheme}`;
      if (folder) await page.screenshot({ path: `${folder}/${name}.png`, fullPage: phone });
      faults.push(...(await page.evaluate(examine, phone)).map((words) => `${name}: ${words}`));
    }
  };
  await look("home");
  await visit.open(clip);
  await visit.goto(76);
  const hand = new Hand(page, "#stage", 640, 272);
  await hand.draw([265, 90, 58, 48]);
  await page.locator("#targets input[type=text]").fill("A sign with a rather long name");
  await page.locator("#stage").focus();
  await page.keyboard.press("Escape");
  await page.evaluate(() => document.activeElement.blur());
  await page.click("#new");
  await page.keyboard.press("Enter");
  await page.click("#track");
  await visit.past(78);
  await page.click("#stop");
  await visit.idle();
  await look("work");
  await page.click("#export");
  await look("export");
  await page.getByRole("button", { name: "Close" }).click();
  assert.deepEqual(visit.rest(), []);
  await context.close();
}
await browser.close();
await host.close();
assert.deepEqual(faults, []);
console.log(JSON.stringify({ ok: true }));
