// One target between two frames: where to look, and what the response means for its box. The
// counterpart of siamtrack.tracking.target.
import { centerOf, checkBox, type Box, type Picture } from "./boxes.js";
import { cut, meanColor, templateSide, toPatch, type Color, type Window } from "./crops.js";
import { BoxDecoder, scoreOf, type Detection, type Response } from "./decode.js";
import type { Runtime } from "./engine.js";
import { Motion } from "./motion.js";
import { cellsOf, OnlineClassifier, type Cells } from "./online.js";
import { CONSTANTS, type Card } from "./settings.js";
import { Templates, type Look } from "./templates.js";

export type State = "tracked" | "uncertain" | "lost";

/** One target in one frame. */
export interface Track {
  /** Number of the target, from 0 in the order in which targets were added. */
  id: number;
  /** Left, top, width, height in frame pixels, 0-based, always finite. */
  box: Box;
  /** Trained estimate in [0, 1] that the target is in the search window. */
  score: number;
  /** What the score means. */
  state: State;
}

/** The state of one target. The network knows nothing of it. */
export class Target {
  private readonly decoder: BoxDecoder;
  private lastSeen: Box;
  private lostFor = 0;
  private goneFor = 0;
  private frames = 0;
  private motion: Motion;
  private online: OnlineClassifier | null = null;
  private readonly templates: Templates;
  private wantsFrame = false;
  private channels = 0;

  private constructor(
    readonly id: number,
    private readonly card: Card,
    private readonly width: number,
    private readonly height: number,
    public box: Box,
    private readonly border: Color,
    kernel: Float32Array,
    redetect: boolean,
  ) {
    this.decoder = new BoxDecoder(card, redetect);
    this.lastSeen = box;
    this.motion = new Motion(card.tracker.motion);
    this.templates = new Templates(card.tracker.recent, kernel);
  }

  /** Its template as the network embeds it. */
  get kernel(): Float32Array {
    return this.templates.kernel;
  }

  /**
   * Start a target: embed its template, and learn how it differs from what is around it.
   *
   * @throws RangeError if the box cannot start a target in this frame.
   */
  static async start(
    runtime: Runtime,
    frame: Picture,
    given: ArrayLike<number>,
    id: number,
    redetect: boolean,
  ): Promise<Target> {
    const card = runtime.card;
    const box = checkBox(given, frame.width, frame.height);
    const border = meanColor(frame);
    const look = lookAt(card, frame, box, border);
    const kernel = await runtime.embed(look.patch, look.size);
    if (!kernel.every(Number.isFinite)) {
      throw new Error(
        `model ${card.name} gives no finite template for this box: give another box`,
      );
    }
    const { width, height } = frame;
    const target = new Target(id, card, width, height, box, border, kernel, redetect);
    if (card.tracker.online.weight > 0) await target.firstLesson(runtime, frame);
    return target;
  }

  private async firstLesson(runtime: Runtime, frame: Picture): Promise<void> {
    const usual = this.windows()[0];
    const windows = CONSTANTS.FIRST_LOOKS.map(([dx, dy, factor]) => ({
      cx: usual.cx + dx * usual.side,
      cy: usual.cy + dy * usual.side,
      side: factor * usual.side,
      size: usual.size,
    }));
    const patches = new Uint8Array(windows.length * this.card.search ** 2 * 3);
    this.crop(frame, windows, patches, 0);
    const response = await runtime.respond(windows.map(() => this.kernel), patches);
    const online = new OnlineClassifier(
      this.card.tracker.online,
      this.card.stride,
      this.card.search,
    );
    const all = allCells(response);
    windows.forEach((window, index) => {
      if (!all[index].finite) {
        throw new Error(
          `model ${this.card.name} gives no finite features for this box: give another box`,
        );
      }
      online.learn(all[index], toPatch(window, this.box), 1 / (index + 1));
    });
    this.online = online;
  }

  /** @throws RangeError if a frame has another size than the first. */
  checkFrame(frame: Picture): void {
    if (frame.width === this.width && frame.height === this.height) return;
    throw new RangeError(
      `a frame of ${frame.width}x${frame.height} pixels: target ${this.id} was started in frames ` +
        `of ${this.width}x${this.height}; resize the frame, or start the target again`,
    );
  }

  /** Look for the target around a box next, as a detector or a person gives it. */
  move(box: Box): void {
    this.goneFor = 0;
    this.motion = new Motion(this.card.tracker.motion);
    this.box = this.lastSeen = box;
  }

  /** The windows to search next. */
  windows(): Window[] {
    return this.decoder.windows(this.box, this.width, this.height, this.lostFor);
  }

  /** Cut windows out of a frame into `out`, from the patch with number `first` on. */
  crop(frame: Picture, windows: Window[], out: Uint8Array, first: number): void {
    const each = this.card.search ** 2 * 3;
    windows.forEach((window, k) => cut(frame, window, this.border, out, (first + k) * each));
  }

  /** Renew its templates from the frame of the last `advance`, if that asked for it. */
  async renew(runtime: Runtime, frame: Picture): Promise<void> {
    if (!this.wantsFrame) return;
    this.wantsFrame = false;
    await this.templates.renew(
      this.channels,
      () => lookAt(this.card, frame, this.box, this.border),
      (look) => runtime.embed(look.patch, look.size),
    );
  }

  /** Take in what the network says about `windows`, and return the new track. */
  advance(windows: Window[], response: Response): Track {
    const [before, presence] = [this.box, this.card.tracker.presence];
    let score = 0;
    // Classifier: mix what it says into the scores of the network
    const seen = this.cells(response);
    if (this.online && seen.length) {
      response = { ...response, score: this.online.mix(response.score, seen) };
    }
    // Decode: the best box, and how sure the network is that it shows the target
    const expected = this.lostFor === 0 ? this.motion.expected() : null;
    let found = this.decoder.decode(this.box, windows, response, expected);
    if (found && ![...found.box, found.presence].every(Number.isFinite)) found = null;
    if (found) {
      this.box = this.inside(found.box);
      score = scoreOf(presence, found.presence);
    }
    // State: a low score is a lost target; one that was gone must look familiar to be back
    const wasHeld = this.isHeld;
    let state = this.stateOf(score);
    let known = found !== null;
    if (found && seen.length && (wasHeld || state === "lost")) {
      known = this.familiarity(windows, seen, found) >= presence.familiar;
    }
    if (wasHeld && !known && state !== "lost") {
      state = "lost";
      score = Math.min(score, presence.lost_below);
    }
    this.lostFor = state === "lost" ? this.lostFor + 1 : 0;
    // Hold: the box of a target that is gone stays where it was last seen
    const onlyChanged = known && seen.length > 0 && !wasHeld;
    const gone = state === "lost" && !onlyChanged;
    if (gone && this.goneFor === 0) this.lastSeen = before;
    this.goneFor = gone ? this.goneFor + 1 : 0;
    if (this.isHeld) this.box = [...this.lastSeen];
    // Motion: what is followed tells where it will be
    if (found && state !== "lost") this.motion.moved(before, this.box);
    else this.motion.lost();
    // Learn: from what was surely seen
    if (found && seen.length && state !== "lost") {
      this.learn(windows[found.window], seen[found.window], found);
    }
    // Templates: when the first fits badly, a recent one joins
    if (seen.length && this.card.tracker.recent.share > 0) {
      this.channels = response.channels;
      this.wantsFrame = this.templates.saw(score, this.familiarity(windows, seen, found));
    }
    this.frames += 1;
    return { id: this.id, box: [...this.box], score, state };
  }

  private get isHeld(): boolean {
    const { hold } = this.card.tracker.presence;
    return hold > 0 && this.goneFor >= hold;
  }

  private stateOf(score: number): State {
    const { lost_below, tracked_from } = this.card.tracker.presence;
    if (score < lost_below) return "lost";
    return score >= tracked_from ? "tracked" : "uncertain";
  }

  private cells(response: Response): Cells[] {
    if (!this.online) return [];
    const seen = allCells(response);
    return seen.every((each) => each.finite) ? seen : [];
  }

  private familiarity(windows: Window[], seen: Cells[], found: Detection | null): number {
    if (!found) return 0;
    if (!this.online) return 1;
    const [x, y] = centerOf(toPatch(windows[found.window], this.box));
    return this.online.familiarity(seen[found.window], x, y);
  }

  private learn(window: Window, seen: Cells, found: Detection): void {
    const { every, learn_from } = this.card.tracker.online;
    if (!this.online || this.frames % every || found.score < learn_from) return;
    this.online.learn(seen, toPatch(window, this.box));
  }

  /** Keep the center in the frame and the size between the least and the whole frame. */
  private inside(box: Box): Box {
    const limited = (value: number, low: number, high: number): number =>
      Math.min(Math.max(value, low), high);
    const least = this.card.tracker.smallest;
    const [x, y] = centerOf(box);
    const w = limited(box[2], Math.min(least, this.width), this.width);
    const h = limited(box[3], Math.min(least, this.height), this.height);
    const [cx, cy] = [limited(x, 0, this.width), limited(y, 0, this.height)];
    return [cx - w / 2, cy - h / 2, w, h];
  }
}

/** Cut the template window of a box out of a frame. */
function lookAt(card: Card, frame: Picture, box: Box, border: Color): Look {
  const [cx, cy] = centerOf(box);
  const side = templateSide(box[2], box[3], card.tracker);
  const patch = new Uint8Array(card.template ** 2 * 3);
  cut(frame, { cx, cy, side, size: card.template }, border, patch);
  return { patch, size: [box[2] / side, box[3] / side] };
}

function allCells(response: Response): Cells[] {
  const { count, channels, rows, columns, features } = response;
  const each = channels * rows * columns;
  return Array.from({ length: count }, (_, k) =>
    cellsOf(features.subarray(k * each, (k + 1) * each), channels, rows, columns),
  );
}
