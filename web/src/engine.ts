// The two graphs of a model in ONNX Runtime Web.
import type * as ort from "onnxruntime-web";
import type { Response } from "./decode.js";
import type { Card } from "./settings.js";

/** A network: it holds no state of a target, so that many can share it. */
export interface Runtime {
  readonly card: Card;
  /** Map a template patch (T, T, 3) and the target's size as shares of its side to a kernel. */
  embed(patch: Uint8Array, size: [number, number]): Promise<Float32Array>;
  /** Match kernels with search patches (count, S, S, 3), one by one. */
  respond(kernels: Float32Array[], patches: Uint8Array): Promise<Response>;
}

export class OrtRuntime implements Runtime {
  private kernelShape: readonly number[] = [];

  private constructor(
    private readonly engine: typeof ort,
    readonly card: Card,
    private readonly template: ort.InferenceSession,
    private readonly search: ort.InferenceSession,
  ) {}

  /** Load the verified bytes of both graphs. */
  static async load(
    engine: typeof ort,
    card: Card,
    graphs: { template: Uint8Array; search: Uint8Array },
    provider: "wasm" | "webgpu",
  ): Promise<OrtRuntime> {
    const options: ort.InferenceSession.SessionOptions = {
      executionProviders: provider === "webgpu" ? ["webgpu", "wasm"] : ["wasm"],
      graphOptimizationLevel: "all",
      logSeverityLevel: 3,
    };
    const template = await engine.InferenceSession.create(graphs.template, options);
    const search = await engine.InferenceSession.create(graphs.search, options);
    return new OrtRuntime(engine, card, template, search);
  }

  async embed(patch: Uint8Array, size: [number, number]): Promise<Float32Array> {
    const { Tensor } = this.engine;
    const side = this.card.template;
    const { kernel } = await this.template.run({
      template: new Tensor("uint8", patch, [1, side, side, 3]),
      size: new Tensor("float32", Float32Array.from(size), [1, 2]),
    });
    this.kernelShape = kernel.dims.slice(1);
    return (kernel.data as Float32Array).slice();
  }

  async respond(kernels: Float32Array[], patches: Uint8Array): Promise<Response> {
    const { Tensor } = this.engine;
    const [count, side] = [kernels.length, this.card.search];
    const joined = new Float32Array(count * kernels[0].length);
    kernels.forEach((kernel, k) => joined.set(kernel, k * kernel.length));
    const found = await this.search.run({
      kernel: new Tensor("float32", joined, [count, ...this.kernelShape]),
      search: new Tensor("uint8", patches, [count, side, side, 3]),
    });
    const { score, distances, presence, features } = found;
    return {
      count,
      rows: score.dims[1],
      columns: score.dims[2],
      channels: features.dims[1],
      score: score.data as Float32Array,
      distances: distances.data as Float32Array,
      presence: presence.data as Float32Array,
      features: features.data as Float32Array,
    };
  }

  async release(): Promise<void> {
    await this.template.release();
    await this.search.release();
  }
}
