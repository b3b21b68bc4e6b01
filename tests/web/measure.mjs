// The figures of docs/browser.md: time to the first frame, frames a second, bytes, memory.
// node measure.mjs BUILT CLIP [first] [speed] [memory UPDATES]
import fs from "node:fs";
import path from "node:path";
import { blank, Hand, ISOLATED, launch, modulePage, serve } from "./browser.mjs";

const [, , built, clip, ...what] = process.argv;
const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const result = {};

// From an empty browser to the first frame that was tracked, with the box drawn as soon as it can be
if (what.includes("first")) {
  const host = await serve(path.join(built, "site"));
  const times = [];
  for (let round = 0; round < 3; round++) {
    const browser = await launch();
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(300000);
    const begun = performance.now();
    await page.goto(host.address);
    await page.waitForFunction(() => crossOriginIsolated);
    await page.setInputFiles("#file", clip);
    await page.waitForFunction(() => document.querySelector("#stage").dataset.frame === "0");
    await new Hand(page, "#stage", 640, 272).draw([300, 60, 80, 100]);
    await page.waitForSelector("#track:not([disabled])");
    await page.click("#track");
    await page.waitForFunction(() => Number(document.querySelector("#stage").dataset.frame) >= 1);
    times.push((performance.now() - begun) / 1000);
    await browser.close();
  }
  await host.close();
  result.firstFrame = Number(median(times).toFixed(2));
  const size = (folder, skip) =>
    fs.readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile() && !skip.test(file.name))
      .reduce((sum, file) => sum + fs.statSync(path.join(file.parentPath, file.name)).size, 0);
  const site = path.join(built, "site");
  result.download = size(site, /asyncify|webgpu|LICENSE|NOTICE|ThirdParty/);
  result.downloadWebGpu = size(site, /^ort-wasm-simd-threaded\.(wasm|mjs)|ort\.wasm|LICENSE|NOTICE|ThirdParty/);
}

const numbered = what[what.indexOf("memory") + 1];
if (what.includes("speed") || what.includes("memory")) {
  const host = await serve(path.join(built, "dist"), { more: blank, headers: ISOLATED });
  const browser = await launch();
  const page = await modulePage(await browser.newContext(), host.address);
  const run = (order) =>
    page.evaluate(async ({ updates, threads, memory }) => {
      const { Siamtrack } = await import("/siamtrack.js");
      const tracker = await Siamtrack.load({ backend: "wasm", threads });
      // A bright patch that wanders over noise
      const frame = new ImageData(640, 480);
      let seed = 1;
      for (let k = 0; k < frame.data.length; k++) {
        seed = (seed * 1103515245 + 12345) & 0x7fffffff;
        frame.data[k] = k % 4 === 3 ? 255 : 60 + (seed >> 16) % 60;
      }
      const ground = frame.data.slice();
      const put = (at) => {
        frame.data.set(ground);
        const [x, y] = [Math.round(300 + 120 * Math.sin(at / 40)), Math.round(220 + 80 * Math.cos(at / 55))];
        for (let v = 0; v < 56; v++) for (let u = 0; u < 72; u++) frame.data.set([220, 40 + 3 * v, 60 + 2 * u], 4 * ((y + v) * 640 + x + u));
        return [x, y, 72, 56];
      };
      await tracker.init(frame, put(0));
      const used = async () => (memory ? (await performance.measureUserAgentSpecificMemory()).bytes : 0);
      const times = [];
      let [before, states] = [0, 0];
      for (let k = 1; k <= updates; k++) {
        put(k);
        const begun = performance.now();
        const { state } = await tracker.update(frame);
        times.push(performance.now() - begun);
        states += state === "tracked";
        if (k === Math.min(100, updates >> 1)) before = await used();
      }
      const after = await used();
      const { engine } = tracker;
      tracker.close();
      times.sort((a, b) => a - b);
      return { engine, updates, tracked: states / updates, median: times[times.length >> 1], best: times[times.length >> 4], before, after };
    }, order);
  if (what.includes("speed")) {
    result.speed = [];
    const cores = await page.evaluate(() => navigator.hardwareConcurrency);
    for (const threads of [1, 2].filter((each) => each <= cores)) {
      const { engine, median: time, best } = await run({ updates: 100, threads });
      result.speed.push({ threads: engine.threads, frames: Number((1000 / time).toFixed(1)), best: Number((1000 / best).toFixed(1)) });
    }
  }
  if (what.includes("memory")) {
    const { updates, tracked, before, after } = await run({ updates: Number(numbered), threads: 1, memory: true });
    result.memory = { updates, tracked, before, after, growth: Number(((after - before) / before).toFixed(4)) };
  }
  await browser.close();
  await host.close();
}
console.log(JSON.stringify(result));
