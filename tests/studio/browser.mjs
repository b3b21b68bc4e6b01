// What the scripts share: a browser, and a person's hand in it. Playwright-core is found through
// NODE_PATH or PLAYWRIGHT_FROM.
import { createRequire } from "node:module";

const require = createRequire(process.env.PLAYWRIGHT_FROM || import.meta.url);
const { chromium } = require("playwright-core");

export const launch = (...more) => chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", ...more,
  ],
});

// Listen to what a page complains of and to which hosts it asks.
export function watch(page, complaints, asked) {
  page.setDefaultTimeout(Number(process.env.PATIENCE || 60000));
  page.on("pageerror", (error) => complaints.push(String(error.stack)));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
  page.on("request", (request) => asked.add(new URL(request.url()).host));
}

// Return what shows a frame of the studio's stage, and waits until it is there.
export const shower = (page) => async (frame) => {
  await page.fill("#frame", String(frame));
  await page.press("#frame", "Enter");
  await page.waitForFunction((at) => document.querySelector("#stage").dataset.frame === String(at), frame);
  await page.locator("#stage").focus();
};

// A hand on a canvas that shows a picture of `width` x `height`.
export class Hand {
  constructor(page, canvas, width, height) {
    Object.assign(this, { page, canvas, width, height });
  }

  async place([x, y]) {
    const stage = await this.page.locator(this.canvas).boundingBox();
    const scale = Math.min(stage.width / this.width, stage.height / this.height);
    const left = stage.x + (stage.width - this.width * scale) / 2;
    return [left + x * scale, stage.y + (stage.height - this.height * scale) / 2 + y * scale];
  }

  async drag(from, to) {
    await this.page.mouse.move(...(await this.place(from)));
    await this.page.mouse.down();
    await this.page.mouse.move(...(await this.place([(from[0] + to[0]) / 2, (from[1] + to[1]) / 2])));
    await this.page.mouse.move(...(await this.place(to)));
    await this.page.mouse.up();
  }

  draw([l, t, w, h]) {
    return this.drag([l, t], [l + w, t + h]);
  }
}
