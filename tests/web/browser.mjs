// What the scripts of the page share, beside what they share with those of the studio.
import path from "node:path";
import { Hand, launch, watch } from "../studio/browser.mjs";
import { serve, ISOLATED } from "./serve.mjs";

export { Hand, ISOLATED, launch, serve, watch };

// The page, opened with its own hand for the picture.
export class Visit {
  complaints = [];
  asked = new Set();

  static async to(context, address) {
    const visit = new Visit();
    visit.page = await context.newPage();
    watch(visit.page, visit.complaints, visit.asked);
    await visit.page.goto(address);
    await visit.ready();
    return visit;
  }

  ready() {
    return this.page.waitForFunction(() => document.body.dataset.engine);
  }

  text(selector) {
    return this.page.textContent(selector);
  }

  // Until the frame is shown, or the whole video is tracked.
  shown(frame) {
    return this.page.waitForFunction((at) => document.querySelector("#stage").dataset.frame === String(at), frame);
  }

  past(frame) {
    return this.page.waitForFunction((at) => Number(document.querySelector("#stage").dataset.frame) >= at, frame);
  }

  async open(file) {
    await this.page.setInputFiles("#file", file);
    await this.page.waitForFunction((name) => {
      const fault = document.querySelector("#fault");
      const shown = document.querySelector("#stage").dataset.frame === "0";
      return (!fault.hidden && fault.textContent.startsWith(name)) || (shown && document.querySelector("#title").textContent === name);
    }, path.basename(file));
  }

  async goto(frame) {
    await this.page.fill("#frame", String(frame));
    await this.page.press("#frame", "Enter");
    await this.shown(frame);
  }

  idle() {
    return this.page.waitForFunction(() => document.querySelector("#stop").hidden);
  }

  async export(format, folder) {
    await this.page.click("#export");
    const waiting = this.page.waitForEvent("download");
    await this.page.click(`#export-dialog [data-format=${format}]`);
    const download = await waiting;
    const file = path.join(folder, download.suggestedFilename());
    await download.saveAs(file);
    return file;
  }

  rest() {
    return this.complaints.filter((text) => !/No available adapters/.test(text));
  }
}

// A page of the same origin that imports the module as a program does.
export async function modulePage(context, address) {
  const page = await context.newPage();
  page.setDefaultTimeout(Number(process.env.PATIENCE || 60000));
  await page.goto(`${address}blank.html`);
  return page;
}

export const blank = (name) => (name === "/blank.html" ? "<!doctype html><title>blank</title>" : null);
