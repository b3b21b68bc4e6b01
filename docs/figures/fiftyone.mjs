// The App of FiftyOne with the tracks of a clip, as `fiftyone.py` leaves them in a data set.
// node fiftyone.mjs ADDRESS FILE.png
import { launch } from "../../tests/studio/browser.mjs";

const [, , address, file] = process.argv;
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1180, height: 560 }, colorScheme: "dark" });
const page = await context.newPage();
await page.goto(address, { waitUntil: "domcontentloaded", timeout: 240000 });
await page.waitForTimeout(Number(process.env.WAIT ?? 60000));
await page.screenshot({ path: file });
await browser.close();
