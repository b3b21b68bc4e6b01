// The file that the studio gives the browser: it leads to the page, and the cookie is sent there.
// node opened.mjs FILE PORT
import assert from "node:assert/strict";
import { launch, watch } from "./browser.mjs";

const [, , file, port] = process.argv;
const browser = await launch();
const page = await browser.newPage();
const complaints = [], asked = new Set();
watch(page, complaints, asked);
await page.goto(file);
await page.waitForURL((url) => url.host === `127.0.0.1:${port}` && url.pathname === "/" && !url.search);
await page.waitForSelector("canvas");
const status = await page.evaluate(async () => (await fetch("/api/studio")).status);
assert.equal(status, 200);
assert.deepEqual(complaints, []);
await browser.close();
console.log(JSON.stringify({ ok: true }));
