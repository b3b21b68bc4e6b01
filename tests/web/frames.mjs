// Frames and tracks that Python recorded, and the port in Node to compare with.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(process.env.PLAYWRIGHT_FROM);

export const about = (folder) => JSON.parse(fs.readFileSync(path.join(folder, "about.json"), "utf8"));

export function rgba(rgb, width, height) {
  const data = new Uint8Array(4 * width * height).fill(255);
  for (let k = 0, at = 0; k < rgb.length; k += 3, at += 4) data.set(rgb.subarray(k, k + 3), at);
  return { width, height, data };
}

export const frame = (folder, number, { width, height }) =>
  rgba(fs.readFileSync(path.join(folder, `${number}.rgb`)), width, height);

// The largest difference between two lists of tracks, and how many states differ.
export function apart(ours, theirs) {
  let [pixels, score, states] = [0, 0, 0];
  ours.forEach((track, k) => {
    const other = theirs[k];
    track.box.forEach((value, side) => (pixels = Math.max(pixels, Math.abs(value - other.box[side]))));
    score = Math.max(score, Math.abs(track.score - other.score));
    states += track.state !== other.state || track.id !== other.id;
  });
  return { pixels, score, states };
}

export async function port(built) {
  const core = await import(pathToFileURL(path.join(built, "dist", "core.js")));
  const ort = await import(pathToFileURL(require.resolve("onnxruntime-web").replace(/ort\.node.*$/, "ort.node.min.mjs")));
  ort.env.wasm.numThreads = 1;
  const card = core.MODELS.lite;
  const graph = (name) => new Uint8Array(fs.readFileSync(path.join(built, "dist", "models", "lite", `${name}.onnx`)));
  const graphs = { template: graph("template"), search: graph("search") };
  return { core, runtime: await core.OrtRuntime.load(ort, card, graphs, "wasm") };
}
