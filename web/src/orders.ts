// What page and worker say to each other.
import type { Picture } from "./boxes.js";
import type { Priors } from "./tracker.js";

export type Backend = "wasm" | "webgpu";
export type Pixels = ImageBitmap | VideoFrame | Picture;

/** What runs the model, and what kept it from running faster, a sentence each. */
export interface Engine {
  backend: Backend;
  threads: number;
  notes: string[];
}

export type Order = { id: number } & (
  | {
      do: "load";
      model: string;
      base: string;
      backends: Backend[];
      threads: number;
      redetect: boolean;
    }
  | { do: "init"; frame: Pixels; box: number[] }
  | { do: "add"; frame: Pixels; box: number[]; target?: number }
  | { do: "update"; frame: Pixels; prior?: number[] }
  | { do: "updateAll"; frame: Pixels; priors: Priors }
  | { do: "remove"; target: number }
  | { do: "clear" | "ids" | "close" }
);

export interface Reply {
  id: number;
  value?: unknown;
  error?: { name: string; message: string };
}
