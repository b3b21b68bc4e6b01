// The parts of the tracker that need no browser, in Node, against what Python recorded.
// node port.mjs BUILT FOLDER
import fs from "node:fs";
import path from "node:path";
import { about, apart, frame, port, rgba } from "./frames.mjs";

const [, , built, folder] = process.argv;
const { core, runtime } = await port(built);
const cases = JSON.parse(fs.readFileSync(path.join(folder, "cases.json"), "utf8"));

// Crops, byte by byte
const noise = rgba(fs.readFileSync(path.join(folder, "noise.rgb")), cases.width, cases.height);
const border = core.meanColor(noise);
const crops = cases.windows.map(({ cx, cy, side, size, file }) => {
  const patch = new Uint8Array(3 * size * size);
  core.cut(noise, { cx, cy, side, size }, border, patch);
  const wanted = fs.readFileSync(path.join(folder, file));
  let [most, differ] = [0, 0];
  patch.forEach((value, k) => {
    most = Math.max(most, Math.abs(value - wanted[k]));
    differ += value !== wanted[k];
  });
  return { most, share: differ / patch.length };
});

// What is said of bad boxes
const messages = cases.boxes.map((box) => {
  try {
    core.checkBox(box.map((value) => (value === null ? NaN : value)), cases.width, cases.height);
    return null;
  } catch (error) {
    return error.message;
  }
});

// Whole runs of a tracker: as the card says, and with a recent template that joins at every chance
const clip = path.join(folder, "clip");
const told = about(clip);
let tracker;
const follow = async (told, clip) => {
  tracker = new core.CoreTracker(runtime);
  const runs = [];
  for (let k = 0; k < told.count; k++) {
    const picture = frame(clip, k, told);
    const tracks = [];
    if (k === 0) for (const [id, box] of told.boxes) tracks.push(await tracker.add(picture, box, id));
    else tracks.push(...(await tracker.updateAll(picture)));
    runs.push(apart(tracks, told.tracks[k]));
  }
  return runs;
};
const usual = runtime.card.tracker.recent;
runtime.card.tracker.recent = cases.recent;
const mixed = await follow(about(path.join(folder, "mixed")), path.join(folder, "mixed"));
runtime.card.tracker.recent = usual;
const runs = await follow(told, clip);

// What a program can do wrong with it
const sentences = [];
const wrong = async (make) => {
  try {
    await make();
    sentences.push(null);
  } catch (error) {
    sentences.push(error.message);
  }
};
const small = { width: 40, height: 30, data: new Uint8Array(4800) };
await wrong(() => tracker.updateAll(small));
await wrong(() => tracker.remove(7));
await wrong(() => tracker.update(frame(clip, 0, told)));
await wrong(() => tracker.updateAll(frame(clip, 0, told), { 0: [9000, 0, 5, 5] }));
await wrong(() => new core.CoreTracker(runtime).updateAll(small));
await wrong(() => tracker.add(frame(clip, 0, told), [1, 1, 5, 5], 0.5));

console.log(JSON.stringify({ version: core.VERSION, border, crops, messages, runs, mixed, sentences }));
