// Where a network looks, and how the response of a box head becomes a box: the counterpart of
// siamtrack.tracking.decode. Arithmetic is double, and single where NumPy's is.
import { centerOf, type Box } from "./boxes.js";
import {
  contextSide,
  templateSide,
  toFrame,
  toPatch,
  wholeWindow,
  type Window,
} from "./crops.js";
import { likelihood, type Expectation } from "./motion.js";
import { cellCenters } from "./online.js";
import { CONSTANTS, type Card, type TrackerSettings } from "./settings.js";

const { EXTRA_WINDOWS, OVERLAP } = CONSTANTS;

/** What the network says about some patches, one after the other in each array. */
export interface Response {
  count: number;
  rows: number;
  columns: number;
  channels: number;
  score: Float32Array; // (count, rows, columns) in [0, 1]
  distances: Float32Array; // (count, 4, rows, columns) to left, top, right, bottom in patch pixels
  presence: Float32Array; // (count) logits
  features: Float32Array; // (count, channels, rows, columns)
}

/** The part of a response about `count` patches from `first` on. */
export function partOf(response: Response, first: number, count: number): Response {
  const slice = (values: Float32Array): Float32Array => {
    const each = values.length / response.count;
    return values.subarray(first * each, (first + count) * each);
  };
  return {
    ...response,
    count,
    score: slice(response.score),
    distances: slice(response.distances),
    presence: slice(response.presence),
    features: slice(response.features),
  };
}

/** Where the target was found: box in frame pixels, logit that it is there, score of its cell. */
export interface Detection {
  box: Box;
  presence: number;
  score: number;
  window: number;
}

/** Reads the responses of one model. It holds no state of a target. */
export class BoxDecoder {
  private readonly settings: TrackerSettings;
  private readonly sizeFloor: number;

  constructor(
    private readonly card: Card,
    private readonly redetect: boolean,
  ) {
    this.settings = card.tracker;
    this.sizeFloor = redetect ? 0 : this.settings.size_floor;
  }

  /** The window around the last box, and more of the frame to find a lost target again. */
  windows(last: Box, width: number, height: number, lostFor: number): Window[] {
    const [cx, cy] = centerOf(last);
    let side = templateSide(last[2], last[3], this.settings);
    side *= this.card.search / this.card.template;
    const near = wholeWindow(cx, cy, side, this.card.search);
    const turn = lostFor - this.settings.presence.patience;
    if (!this.redetect || turn < 0) return [near];
    return [near, ...extraWindows(near, last, width, height, turn, EXTRA_WINDOWS)];
  }

  /** The best box of the first window, or of another one that surely shows the target. */
  decode(
    last: Box,
    windows: Window[],
    response: Response,
    expected: Expectation | null,
  ): Detection | null {
    let best = this.bestCell(last, windows, response, 0, expected);
    const presence = this.settings.presence;
    for (let index = 1; index < windows.length; index++) {
      // As if the target had last been seen in the middle of that window
      const { cx, cy } = windows[index];
      const middle: Box = [cx - last[2] / 2, cy - last[3] / 2, last[2], last[3]];
      const other = this.bestCell(middle, windows, response, index, null);
      if (!other || scoreOf(presence, other.presence) < presence.tracked_from) continue;
      if (!best || other.presence > best.presence) best = other;
    }
    return best;
  }

  private bestCell(
    last: Box,
    windows: Window[],
    response: Response,
    index: number,
    expected: Expectation | null,
  ): Detection | null {
    const { settings, card } = this;
    const window = windows[index];
    const { rows, columns } = response;
    const places = rows * columns;
    const score = response.score.subarray(index * places, (index + 1) * places);
    const distances = response.distances.subarray(4 * index * places, 4 * (index + 1) * places);
    let total = 0;
    for (const value of score) total += value;
    for (const value of distances) total += value;
    if (!Number.isFinite(total)) return null;
    // Choose a cell: it scores high, where the target is expected, for a box of about the last size
    const [, , width, height] = toPatch(window, last);
    const side = contextSide(width, height);
    const penalty = (n: number): number => {
      const w = Math.max(distances[n] + distances[2 * places + n], 1e-3);
      const h = Math.max(distances[places + n] + distances[3 * places + n], 1e-3);
      const size = contextSide(w, h) / side;
      const aspect = w / h / (width / height);
      const change = Math.max(size, 1 / size) * Math.max(aspect, 1 / aspect);
      return Math.exp(-settings.penalty * (change - 1));
    };
    const step = (card.stride * window.side) / window.size;
    const weight = expected ? settings.motion.weight : settings.window;
    const likely = expected
      ? likelihood(expected, Math.sqrt(last[2] * last[3]), rows, step).map((value) => weight * value)
      : cosineWindow(rows, columns, settings.rim).map((value) => weight * value);
    let [best, most] = [0, -Infinity];
    for (let n = 0; n < places; n++) {
      const mixed = (1 - weight) * (score[n] * penalty(n)) + likely[n];
      if (mixed > most) [best, most] = [n, mixed];
    }
    // Take the center of its box, and a share of its size
    const box = toFrame(window, boxAt(distances, best, rows, columns, card));
    const chosen = score[best];
    const rate = settings.size_rate * Math.max(chosen, this.sizeFloor) * penalty(best);
    const w = (1 - rate) * last[2] + rate * box[2];
    const h = (1 - rate) * last[3] + rate * box[3];
    const [cx, cy] = centerOf(box);
    return {
      box: [cx - w / 2, cy - h / 2, w, h],
      presence: response.presence[index],
      score: chosen,
      window: index,
    };
  }
}

/** The score in [0, 1] that a presence logit means. */
export function scoreOf(presence: { slope: number; offset: number }, logit: number): number {
  const value = Math.min(Math.max(presence.slope * logit + presence.offset, -60), 60);
  return 1 / (1 + Math.exp(-value));
}

const cosines = new Map<string, Float32Array>();

/** Hann window, 1 in the middle, 0 in the cell `rim` beyond the edge. */
function cosineWindow(rows: number, columns: number, rim: number): Float32Array {
  const key = `${rows},${columns},${rim}`;
  const known = cosines.get(key);
  if (known) return known;
  const along = (count: number): number[] =>
    Array.from({ length: count }, (_, k) => {
      const last = count + 2 * rim - 1;
      return 0.5 + 0.5 * Math.cos((Math.PI * (2 * (k + rim) - last)) / last);
    });
  const [y, x] = [along(rows), along(columns)];
  const found = new Float32Array(rows * columns);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) found[at] = y[row] * x[column];
  }
  cosines.set(key, found);
  return found;
}

/** The box of one cell in patch pixels. */
function boxAt(
  distances: Float32Array,
  cell: number,
  rows: number,
  columns: number,
  card: Card,
): Box {
  const places = rows * columns;
  const [left, top, right, bottom] = [0, 1, 2, 3].map((side) => distances[side * places + cell]);
  const x = cellCenters(columns, card.stride, card.search)[cell % columns];
  const y = cellCenters(rows, card.stride, card.search)[Math.floor(cell / columns)];
  return [x - left, y - top, left + right, top + bottom];
}

/** The windows of a grid over the frame whose turn it is, to find a lost target; nearest first. */
function extraWindows(
  near: Window,
  last: Box,
  width: number,
  height: number,
  turn: number,
  count: number,
): Window[] {
  const [cx, cy] = centerOf(last);
  const grid: [number, number][] = [];
  for (const y of gridPlaces(height, near.side)) {
    for (const x of gridPlaces(width, near.side)) grid.push([x, y]);
  }
  const far = ([x, y]: [number, number]): number => Math.hypot(x - cx, y - cy);
  grid.sort((a, b) => far(a) - far(b));
  const chosen = new Set<number>();
  for (let k = 0; k < count; k++) chosen.add((turn * count + k) % grid.length);
  return [...chosen]
    .sort((a, b) => a - b)
    .map((k) => ({ cx: grid[k][0], cy: grid[k][1], side: near.side, size: near.size }));
}

function gridPlaces(length: number, side: number): number[] {
  if (side >= length) return [length / 2];
  const count = Math.ceil((length - side) / (OVERLAP * side)) + 1;
  const [first, step] = [side / 2, (length - side) / (count - 1)];
  return Array.from({ length: count }, (_, k) =>
    k === count - 1 ? length - side / 2 : first + k * step,
  );
}
