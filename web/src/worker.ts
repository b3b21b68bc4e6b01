// The worker: network and trackers, away from the page, one order after the other.
import type * as ort from "onnxruntime-web";
import type { Picture } from "./boxes.js";
import { download } from "./download.js";
import { OrtRuntime } from "./engine.js";
import type { Backend, Engine, Order, Reply } from "./orders.js";
import { MODELS } from "./settings.js";
import { CoreTracker } from "./tracker.js";
import ENGINES from "../generated/engines.json";

let runtime: OrtRuntime | null = null;
let tracker: CoreTracker | null = null;
let last: Promise<unknown> = Promise.resolve();
let canvas: OffscreenCanvas | null = null;

self.onmessage = (event: MessageEvent<Order>) => {
  const order = event.data;
  last = last.then(() => answer(order));
};

async function answer(order: Order): Promise<void> {
  let reply: Reply;
  try {
    reply = { id: order.id, value: await carryOut(order) };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    reply = { id: order.id, error: { name, message } };
  }
  self.postMessage(reply);
}

async function carryOut(order: Order): Promise<unknown> {
  if (order.do === "load") return load(order);
  if (!tracker) throw new Error("no model is loaded: call Siamtrack.load first");
  switch (order.do) {
    case "init":
      return tracker.init(pixels(order.frame), order.box);
    case "add":
      return tracker.add(pixels(order.frame), order.box, order.target);
    case "update":
      return tracker.update(pixels(order.frame), order.prior);
    case "updateAll":
      return tracker.updateAll(pixels(order.frame), order.priors);
    case "remove":
      return tracker.remove(order.target);
    case "clear":
      return tracker.clear();
    case "ids":
      return tracker.ids;
    case "close":
      return runtime?.release();
  }
}

async function load(order: Extract<Order, { do: "load" }>): Promise<Engine> {
  const card = MODELS[order.model];
  const base = new URL(order.base);
  const at = new URL(`models/${order.model}/`, base);
  const notes: string[] = [];
  // The graphs come along with the engine, whichever runs them
  const graphs = Promise.all([
    download(new URL("template.onnx", at), card.files.template, `${order.model}/template.onnx`),
    download(new URL("search.onnx", at), card.files.search, `${order.model}/search.onnx`),
  ]);
  graphs.catch(() => {}); // said where it is awaited
  for (const backend of order.backends) {
    try {
      const engine = await startEngine(backend, base, order.threads);
      const [template, search] = await graphs;
      runtime = await OrtRuntime.load(engine, card, { template, search }, backend);
      if (backend === "webgpu") await tryOut(runtime);
      tracker = new CoreTracker(runtime, order.redetect);
      return { backend, threads: engine.env.wasm.numThreads ?? 1, notes };
    } catch (error) {
      await graphs; // a damaged model is no reason to try another engine
      if (backend === order.backends.at(-1)) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      notes.push(`WebGPU cannot be used (${reason}): the model runs in WebAssembly`);
    }
  }
  throw new Error("no engine was asked for");
}

async function startEngine(backend: Backend, base: URL, threads: number): Promise<typeof ort> {
  const { module, glue, wasm, ...info } = ENGINES[backend];
  const binary = download(new URL(`ort/${wasm}`, base), info, `ort/${wasm}`);
  const engine = (await import(new URL(`ort/${module}`, base).href)) as typeof ort;
  engine.env.wasm.wasmPaths = { mjs: new URL(`ort/${glue}`, base).href };
  engine.env.wasm.wasmBinary = await binary;
  engine.env.wasm.numThreads = threads;
  return engine;
}

/** Let the network run once: a driver may fail, or compute nonsense, only then. */
async function tryOut(network: OrtRuntime): Promise<void> {
  const { template, search } = network.card;
  const kernel = await network.embed(new Uint8Array(template ** 2 * 3).fill(90), [0.5, 0.5]);
  const { score } = await network.respond([kernel], new Uint8Array(search ** 2 * 3).fill(90));
  if (!score.every((value) => value >= 0 && value <= 1)) throw new Error("it computes no scores");
}

function pixels(frame: ImageBitmap | VideoFrame | Picture): Picture {
  if ("data" in frame) return frame;
  const [width, height] =
    "displayWidth" in frame ? [frame.displayWidth, frame.displayHeight] : [frame.width, frame.height];
  if (canvas?.width !== width || canvas.height !== height) {
    canvas = new OffscreenCanvas(width, height);
  }
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  if (!context) throw new Error("this browser reads no pixels in a worker: give ImageData");
  context.drawImage(frame, 0, 0);
  frame.close();
  return context.getImageData(0, 0, width, height);
}
