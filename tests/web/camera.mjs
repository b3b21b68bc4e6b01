// The camera, a made-up one of Chromium's: draw a box, see it followed, take it away.
// node camera.mjs SITE
import assert from "node:assert/strict";
import { Hand, launch, serve, Visit } from "./browser.mjs";

const host = await serve(process.argv[2]);
const browser = await launch("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream");
const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, acceptDownloads: true });
const visit = await Visit.to(context, host.address);
const { page } = visit;
await page.click("#camera");
await visit.past(1);
assert.ok(await page.isHidden("#track"));
const [width, height] = [640, 480];
await new Hand(page, "#stage", width, height).draw([260, 180, 120, 120]);
await page.waitForFunction(() => /frames\/s/.test(document.querySelector("#job").textContent));
const now = Number(await page.getAttribute("#stage", "data-frame"));
await visit.past(now + 3);
assert.match(await page.locator("#targets .state").textContent(), /tracked|uncertain|lost|key frame/);

// The tab is hidden for a while, as the browser tells the page.
const hide = (hidden) => page.evaluate((hidden) => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}, hidden);
await hide(true);
await page.waitForTimeout(2000);
const asleep = await page.getAttribute("#stage", "data-frame");
await page.waitForTimeout(1500);
assert.equal(await page.getAttribute("#stage", "data-frame"), asleep);
await hide(false);
assert.match(await visit.text("#toast"), /^The camera was not followed while this tab was hidden/);
await visit.past(Number(asleep) + 2);

const file = await visit.export("csv", process.env.TMPDIR || "/tmp");
const { readFileSync, rmSync } = await import("node:fs");
const rows = readFileSync(file, "utf8").trim().split("\n").slice(1);
rmSync(file);
assert.ok(rows.length >= 3, `${rows.length} rows`);
await page.click("#to-home");
await page.waitForSelector("#choose");
assert.deepEqual(visit.rest(), []);
await browser.close();
await host.close();
console.log(JSON.stringify({ ok: true }));
