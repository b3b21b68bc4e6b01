// What the pictures of the studio show: a cyclist whom a van hides, and a sign, tracked and checked.
// node studio.mjs ADDRESS FOLDER
import { launch, watch } from "../../tests/studio/browser.mjs";

const [, , address, folder] = process.argv;
const FIRST = 76, LAST = 137, SHOWN = 118;
const browser = await launch();

async function open(options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  watch(page, [], new Set());
  return page;
}

async function goto(page, frame) {
  await page.fill("#frame", String(frame));
  await page.press("#frame", "Enter");
  await page.waitForFunction((at) => document.querySelector("#stage").dataset.frame === String(at), frame);
  await page.evaluate(() => document.activeElement.blur());
  await page.waitForTimeout(800);
}

const wide = { viewport: { width: 1280, height: 800 }, deviceScaleFactor: 1 };
let page = await open({ ...wide, colorScheme: "light" });
await page.goto(`${address}#/clips`);
await page.click("#clips .open");
await page.waitForFunction(() => document.querySelector("#stage").dataset.frame === "0");
await page.evaluate(async ([first, last]) => {
  const path = `/api/projects/${location.hash.split("/").pop()}`;
  const post = (to, value) => fetch(path + to, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(value),
  });
  await post("/edits", { do: "draw", frame: first, box: [398, 52, 118, 218], name: "Cyclist", class: "person" });
  await post("/edits", { do: "draw", frame: first, box: [265, 90, 58, 48], name: "Sign", class: "traffic sign" });
  await post("/job", { do: "start", direction: "forward", frame: first, count: last - first });
}, [FIRST, LAST]);
const ended = (words) => page.waitForFunction((words) => document.querySelector("#job").textContent.includes(words), words);
await ended("frames, ");
await page.click("#check");
await ended("checked");
await page.reload();
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
await goto(page, SHOWN);
await page.screenshot({ path: `${folder}/studio.png` });
await page.goto(`${address}#/clips`);
await page.waitForFunction(() => document.querySelector("#clips img")?.naturalWidth > 100);
await page.waitForTimeout(400);
await page.screenshot({ path: `${folder}/studio-home.png` });
await page.context().close();

page = await open({ ...wide, colorScheme: "dark" });
await page.goto(`${address}#/clips`);
await page.click("#clips .open");
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
await goto(page, SHOWN);
await page.click("#look summary");
await page.waitForFunction(() => document.querySelector("#look-response").naturalWidth > 100);
await page.evaluate(() => document.querySelector("#look").scrollIntoView());
await page.screenshot({ path: `${folder}/studio-dark.png` });
await page.context().close();

page = await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 1, hasTouch: true, isMobile: true, colorScheme: "light" });
await page.goto(`${address}#/clips`);
await page.click("#clips .open");
await page.waitForFunction(() => document.querySelectorAll("#targets li").length === 2);
await goto(page, SHOWN);
await page.evaluate(() => window.scrollTo(0, 0));
await page.screenshot({ path: `${folder}/studio-phone.png` });
await browser.close();
