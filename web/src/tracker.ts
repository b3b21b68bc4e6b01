// Many targets in one batch: the counterpart of siamtrack.tracking.tracker.
import { checkBox, type Box, type Picture } from "./boxes.js";
import { partOf } from "./decode.js";
import type { Runtime } from "./engine.js";
import { Target, type Track } from "./target.js";

/** Boxes of a detector or a person: id of a target to left, top, width, height. */
export type Priors = Record<number, ArrayLike<number>>;

export class CoreTracker {
  private targets = new Map<number, Target>();
  private next = 0;

  constructor(
    private readonly runtime: Runtime,
    private readonly redetect = false,
  ) {}

  /** Ids of the targets, in the order in which they were added. */
  get ids(): number[] {
    return [...this.targets.keys()];
  }

  clear(): void {
    this.targets.clear();
    this.next = 0;
  }

  /** Forget all targets and start on one, which gets id 0. */
  async init(frame: Picture, box: ArrayLike<number>): Promise<Track> {
    const target = await Target.start(this.runtime, frame, box, 0, this.redetect);
    this.targets = new Map([[0, target]]);
    this.next = 1;
    return started(target);
  }

  /** Add a target at any frame, or start the one with `id` again. */
  async add(frame: Picture, box: ArrayLike<number>, id = this.next): Promise<Track> {
    if (!Number.isSafeInteger(id)) throw new RangeError(`id ${id}: expected a whole number`);
    const target = await Target.start(this.runtime, frame, box, id, this.redetect);
    this.targets.set(id, target);
    this.next = Math.max(this.next, id + 1);
    return started(target);
  }

  remove(id: number): void {
    this.known(id);
    this.targets.delete(id);
  }

  /** Find all targets in the next frame, in one batch. What is bad moves none. */
  async updateAll(frame: Picture, priors: Priors = {}): Promise<Track[]> {
    if (!this.targets.size) throw new Error("update before init: call init(frame, box) first");
    // Check the frame and all priors before the first target moves
    const targets = [...this.targets.values()];
    for (const target of targets) target.checkFrame(frame);
    const moves = Object.entries(priors).map(([id, box]): [Target, Box] => [
      this.known(Number(id)),
      checkBox(box, frame.width, frame.height),
    ]);
    for (const [target, box] of moves) target.move(box);
    // Crop the windows of all targets into one batch
    const windows = targets.map((target) => target.windows());
    const count = windows.reduce((sum, each) => sum + each.length, 0);
    const patches = new Uint8Array(count * this.runtime.card.search ** 2 * 3);
    const kernels: Float32Array[] = [];
    targets.forEach((target, k) => {
      target.crop(frame, windows[k], patches, kernels.length);
      for (const _ of windows[k]) kernels.push(target.kernel);
    });
    // Respond: the network runs once
    const response = await this.runtime.respond(kernels, patches);
    // Decode: each target takes its part of the response
    let first = 0;
    const tracks = targets.map((target, k) => {
      const part = partOf(response, first, windows[k].length);
      first += windows[k].length;
      return target.advance(windows[k], part);
    });
    // Remember: how a target looks now may help while it turns away
    for (const target of targets) await target.renew(this.runtime, frame);
    return tracks;
  }

  /** Find the only target in the next frame. */
  async update(frame: Picture, prior?: ArrayLike<number>): Promise<Track> {
    if (this.targets.size > 1) {
      throw new Error(`${this.targets.size} targets: use updateAll, which returns them all`);
    }
    const [id = 0] = this.ids;
    return (await this.updateAll(frame, prior ? { [id]: prior } : {}))[0];
  }

  private known(id: number): Target {
    const target = this.targets.get(id);
    if (target) return target;
    const known = this.ids.join(", ") || "none";
    throw new RangeError(`no target has the id ${id}; known: ${known}`);
  }
}

function started(target: Target): Track {
  return { id: target.id, box: [...target.box], score: 1, state: "tracked" };
}
