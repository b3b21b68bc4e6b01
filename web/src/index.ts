/**
 * Follow objects in the browser: draw one box, and the rest of the video has one.
 *
 *     const tracker = await Siamtrack.load({ model: "lite" });
 *     await tracker.init(frame, [60, 70, 40, 40]);
 *     const { box, score, state } = await tracker.update(next);
 *
 * Nothing leaves the page: the model runs in a worker, in WebAssembly or on WebGPU.
 */
import type { Box } from "./boxes.js";
import type { Backend, Engine, Order, Pixels, Reply } from "./orders.js";
import { DEFAULT, MODELS, VERSION } from "./settings.js";
import type { State, Track } from "./target.js";
import type { Priors } from "./tracker.js";

export { VERSION, type Backend, type Box, type Engine, type Priors, type State, type Track };

/** A picture: of all sources the pixels as the browser shows them. */
export type Frame =
  | ImageData
  | ImageBitmap
  | VideoFrame
  | HTMLVideoElement
  | HTMLCanvasElement
  | HTMLImageElement
  | OffscreenCanvas;

export interface Options {
  /** Name of a model; those with a box head are there. */
  model?: string;
  /** What runs it; `auto` takes WebGPU where there is hardware for it, WebAssembly elsewhere. */
  backend?: "auto" | Backend;
  /** Threads of WebAssembly; as many as there are cores, at most four, by default. */
  threads?: number;
  /** Search more and more of the frame while a target is lost. */
  redetect?: boolean;
  /** Folder of worker.js, ort/ and models/; that of this module by default. */
  base?: string | URL;
}

/** A module that adds two vectors: valid where WebAssembly has SIMD. */
const SIMD = [
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15,
  253, 98, 11,
];
const MOST_THREADS = 4;

/** Omit over each member of a union. */
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

/** Follows targets in frames of one size. Calls are carried out in their order. */
export class Siamtrack {
  /** What runs the model, and what kept it from running faster. */
  engine: Engine = { backend: "wasm", threads: 1, notes: [] };
  private readonly worker: Worker;
  private readonly waiting = new Map<number, PromiseWithReject>();
  private orders = 0;
  private last: Promise<unknown> = Promise.resolve();
  private closed = false;

  private constructor(base: URL) {
    this.worker = new Worker(new URL("worker.js", base), { type: "module" });
    this.worker.onmessage = (event: MessageEvent<Reply>) => this.take(event.data);
    this.worker.onerror = (event) => {
      const message = event.message || "its script cannot be loaded";
      this.fail(new Error(`the tracker's worker stopped (${message}): reload the page`));
    };
  }

  /**
   * Load a model.
   *
   * @throws RangeError if there is no such model, or `threads` is no whole number above 0.
   * @throws Error if the browser has no WebAssembly SIMD, or a file is missing or damaged.
   */
  static async load(options: Options = {}): Promise<Siamtrack> {
    const { model = DEFAULT, backend = "auto", redetect = false } = options;
    if (!(model in MODELS)) {
      const known = Object.keys(MODELS).join(", ");
      throw new RangeError(`model ${model}: not known here; known: ${known}`);
    }
    if (!hasSimd()) {
      throw new Error(
        "this browser's WebAssembly has no SIMD, which the network needs: update the browser " +
          "(Chrome 91, Firefox 89, Safari 16.4 or newer), or run `siamtrack studio`",
      );
    }
    const notes: string[] = [];
    const threads = chooseThreads(options.threads, notes);
    const backends: Backend[] = backend === "auto" ? await chooseBackends() : [backend];
    const base = new URL(options.base ?? ".", options.base ? location.href : import.meta.url);
    const tracker = new Siamtrack(base);
    try {
      const order = { model, base: base.href, backends, threads, redetect };
      const engine = (await tracker.send({ do: "load", ...order })) as Engine;
      tracker.engine = { ...engine, notes: [...notes, ...engine.notes] };
    } catch (error) {
      tracker.worker.terminate();
      throw error;
    }
    return tracker;
  }

  /** Forget all targets and start on one, which gets id 0. Box: left, top, width, height. */
  async init(frame: Frame, box: ArrayLike<number>): Promise<Track> {
    return this.withFrame(frame, { do: "init", box: Array.from(box) });
  }

  /** Find the only target in the next frame; `prior` is where a detector sees it. */
  async update(frame: Frame, prior?: ArrayLike<number>): Promise<Track> {
    return this.withFrame(frame, { do: "update", prior: prior && Array.from(prior) });
  }

  /** Add a target at any frame, or start the one with `id` again. */
  async add(frame: Frame, box: ArrayLike<number>, id?: number): Promise<Track> {
    return this.withFrame(frame, { do: "add", box: Array.from(box), target: id });
  }

  /** Find all targets in the next frame, in one batch. */
  async updateAll(frame: Frame, priors: Priors = {}): Promise<Track[]> {
    return this.withFrame(frame, { do: "updateAll", priors });
  }

  /** Drop a target. */
  async remove(id: number): Promise<void> {
    await this.send({ do: "remove", target: id });
  }

  /** Forget all targets. */
  async clear(): Promise<void> {
    await this.send({ do: "clear" });
  }

  /** Ids of the targets, in the order in which they were added. */
  async ids(): Promise<number[]> {
    return (await this.send({ do: "ids" })) as number[];
  }

  /** Let go of the model and its memory. */
  close(): void {
    this.worker.terminate();
    this.closed = true;
    this.fail(closed());
  }

  private async withFrame<T>(
    frame: Frame,
    order: Without<Extract<Order, { frame: Pixels }>, "id" | "frame">,
  ): Promise<T> {
    return (await this.send(order, pixelsOf(frame))) as T;
  }

  /** Send an order after all before it, with the pixels that a frame has now. */
  private async send(
    order: Without<Order, "id" | "frame"> | Without<Order, "id">,
    pixels: Promise<Pixels> | null = null,
  ): Promise<unknown> {
    const mine = this.last.then(() => pixels);
    this.last = mine.catch(() => {}); // said to whoever gave the frame
    const frame = await mine;
    if (this.closed) throw closed();
    const id = this.orders++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      const moved = frame ? ["data" in frame ? frame.data.buffer : frame] : [];
      this.worker.postMessage({ ...order, id, ...(frame && { frame }) }, moved as Transferable[]);
    });
  }

  private take(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (!reply.error) return waiting?.resolve(reply.value);
    const { name, message } = reply.error;
    waiting?.reject(name === "RangeError" ? new RangeError(message) : new Error(message));
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}

const closed = (): Error => new Error("the tracker was closed: load it again");

interface PromiseWithReject {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

function hasSimd(): boolean {
  return typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(SIMD));
}

function chooseThreads(asked: number | undefined, notes: string[]): number {
  if (asked !== undefined && (!Number.isSafeInteger(asked) || asked < 1)) {
    throw new RangeError(`threads ${asked}: expected a whole number above 0`);
  }
  const wanted = asked ?? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS);
  if (wanted > 1 && !globalThis.crossOriginIsolated) {
    notes.push(
      "the page is not isolated (Cross-Origin-Opener-Policy and Cross-Origin-Embedder-Policy), so " +
        "that the browser forbids threads: the model runs in one",
    );
    return 1;
  }
  return wanted;
}

/** WebGPU where there is hardware behind it: in software it is slower than WebAssembly. */
async function chooseBackends(): Promise<Backend[]> {
  try {
    const { gpu } = navigator as Navigator & { gpu?: { requestAdapter(): Promise<Adapter | null> } };
    const adapter = await gpu?.requestAdapter();
    const software = adapter?.isFallbackAdapter || adapter?.info?.isFallbackAdapter;
    return adapter && !software ? ["webgpu", "wasm"] : ["wasm"];
  } catch {
    return ["wasm"];
  }
}

interface Adapter {
  isFallbackAdapter?: boolean;
  info?: { isFallbackAdapter?: boolean };
}

async function pixelsOf(frame: Frame): Promise<Pixels> {
  if (frame instanceof ImageData) {
    const { width, height, data } = frame;
    return { width, height, data: new Uint8ClampedArray(data) }; // it may change before its turn
  }
  if (frame instanceof HTMLVideoElement && frame.readyState < 2) {
    throw new Error("the video shows no picture yet: wait for its event `loadeddata`");
  }
  return createImageBitmap(frame as ImageBitmapSource);
}
