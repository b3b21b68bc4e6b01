// Windows around a target, and the one function that cuts them out of a frame: the counterpart of
// siamtrack.tracking.crops. Interpolation rounds as OpenCV 5 does on x86, so that both show the
// network the same bytes.
import { roundEven, type Box, type Picture } from "./boxes.js";
import type { TrackerSettings } from "./settings.js";

/** Bits of a weight of the interpolation by fixed point, and the rounding of the second pass. */
const ONE = 1 << 11;

/** A square of the frame that is shown to the network as a patch of `size` pixels a side. */
export interface Window {
  cx: number;
  cy: number;
  side: number;
  size: number;
}

export type Color = [red: number, green: number, blue: number];

/** Side of the square template window in pixels: from the context, or from the area of the box. */
export function templateSide(width: number, height: number, settings: TrackerSettings): number {
  if (settings.area) return settings.area * Math.sqrt(width * height);
  return contextSide(width, height, settings.context);
}

/** sqrt((w + c)(h + c)) with c = context * (w + h). */
export function contextSide(width: number, height: number, context = 0.5): number {
  const margin = context * (width + height);
  return Math.sqrt((width + margin) * (height + margin));
}

/** The square window nearest to the one asked for that consists of whole pixels. */
export function wholeWindow(cx: number, cy: number, side: number, size: number): Window {
  const whole = Math.max(1, roundEven(side));
  const half = whole / 2;
  return { cx: roundEven(cx - half) + half, cy: roundEven(cy - half) + half, side: whole, size };
}

/** Map a box from frame pixels to patch pixels. */
export function toPatch(window: Window, box: Box): Box {
  const scale = window.size / window.side;
  const [left, top] = [window.cx - window.side / 2, window.cy - window.side / 2];
  return [(box[0] - left) * scale, (box[1] - top) * scale, box[2] * scale, box[3] * scale];
}

/** Map a box from patch pixels to frame pixels. */
export function toFrame(window: Window, box: Box): Box {
  const scale = window.size / window.side;
  const [left, top] = [window.cx - window.side / 2, window.cy - window.side / 2];
  return [box[0] / scale + left, box[1] / scale + top, box[2] / scale, box[3] / scale];
}

/** Mean of each channel: what is shown beyond the frame. */
export function meanColor(frame: Picture): Color {
  const sums = [0, 0, 0];
  const { data } = frame;
  for (let at = 0; at < data.length; at += 4) {
    sums[0] += data[at];
    sums[1] += data[at + 1];
    sums[2] += data[at + 2];
  }
  const count = frame.width * frame.height;
  return [sums[0] / count, sums[1] / count, sums[2] / count];
}

/**
 * Cut a window out of a frame into `out`, (size, size, 3) from `offset` on.
 *
 * Where the window has at least twice as many pixels a side as the patch, the frame is averaged down
 * first. A window of whole pixels shows these alone.
 */
export function cut(
  frame: Picture,
  window: Window,
  border: Color,
  out: Uint8Array,
  offset = 0,
): void {
  const { size, side } = window;
  let [left, top] = [window.cx - side / 2, window.cy - side / 2];
  const scale = size / side;
  let [sx, sy] = [scale, scale];
  const block = Math.max(1, Math.trunc(1 / scale));
  const whole = Number.isInteger(left) && Number.isInteger(top) && Number.isInteger(side);
  if (block === 1 && whole) return resize(frame, left, top, side, size, border, out, offset);
  let source = frame;
  if (block > 1) {
    const { width: cols, height: rows } = frame;
    // Whole blocks that cover the visible part of the window
    const [x0, x1] = wholeBlocks(left, side, cols, block);
    const [y0, y1] = wholeBlocks(top, side, rows, block);
    if (x1 <= x0 || y1 <= y0) {
      source = { width: 1, height: 1, data: frame.data.subarray(0, 4) };
      [left, top] = [cols, rows];
    } else {
      source = average(frame, x0, y0, x1, y1, block);
      const [rx, ry] = [source.width / (x1 - x0), source.height / (y1 - y0)];
      [left, top, sx, sy] = [(left - x0) * rx, (top - y0) * ry, sx / rx, sy / ry];
    }
  }
  // Index u of the patch has its center at u + 0.5, which is index x - 0.5 of the frame
  warp(source, 1 / sx, 1 / sy, left + 0.5 / sx - 0.5, top + 0.5 / sy - 0.5, size, border, out, offset);
}

function wholeBlocks(first: number, side: number, length: number, block: number): [number, number] {
  const low = Math.min(Math.max(Math.floor(first) - block, 0), length - 1);
  const high = Math.min(length, Math.ceil(first + side) + block);
  const excess = high > low ? (high - low) % block : 0;
  if (low > 0) return [low + excess, high];
  return [low, high < length ? high - excess : high];
}

interface Axis {
  near: Int32Array;
  far: Int32Array;
  nearWeight: Int32Array;
  farWeight: Int32Array;
}

/**
 * Neighbors and weights of each output pixel along an axis of `source` pixels, as OpenCV's INTER_LINEAR
 * takes them. Columns stop at the edge; rows beyond it are the edge's, with both weights.
 */
function axis(source: number, count: number, stops: boolean): Axis {
  const [near, far] = [new Int32Array(count), new Int32Array(count)];
  const [nearWeight, farWeight] = [new Int32Array(count), new Int32Array(count)];
  const step = source / count;
  for (let k = 0; k < count; k++) {
    const place = Math.fround((k + 0.5) * step - 0.5);
    let index = Math.floor(place);
    let rest = Math.fround(place - index);
    if (stops && (index < 0 || index >= source - 1)) {
      index = index < 0 ? 0 : source - 1;
      rest = 0;
    }
    near[k] = Math.min(Math.max(index, 0), source - 1);
    far[k] = Math.min(Math.max(index + 1, 0), source - 1);
    farWeight[k] = roundEven(rest * ONE);
    nearWeight[k] = roundEven(Math.fround(1 - rest) * ONE);
  }
  return { near, far, nearWeight, farWeight };
}

/** Resize a square of whole pixels, with the border's color beyond the frame. */
function resize(
  frame: Picture,
  left: number,
  top: number,
  side: number,
  size: number,
  border: Color,
  out: Uint8Array,
  offset: number,
): void {
  const columns = axis(side, size, true);
  const rows = axis(side, size, false);
  const fill = border.map(roundEven);
  // Rows of the window, each interpolated along x once: the last two are kept
  const lines = [new Int32Array(3 * size), new Int32Array(3 * size)];
  const held = [-1, -1];
  const line = (row: number, keep: number): Int32Array => {
    const place = held[0] === row ? 0 : held[1] === row ? 1 : -1;
    if (place >= 0) return lines[place];
    const free = held[0] === keep ? 1 : 0;
    held[free] = row;
    across(frame, left, top + row, size, columns, fill, lines[free]);
    return lines[free];
  };
  for (let v = 0, at = offset; v < size; v++) {
    const [a, b] = [rows.nearWeight[v], rows.farWeight[v]];
    const first = line(rows.near[v], rows.far[v]);
    const second = line(rows.far[v], rows.near[v]);
    for (let k = 0; k < 3 * size; k++, at++) {
      out[at] = (((a * (first[k] >> 4)) >> 16) + ((b * (second[k] >> 4)) >> 16) + 2) >> 2;
    }
  }
}

function across(
  frame: Picture,
  left: number,
  y: number,
  size: number,
  columns: Axis,
  fill: number[],
  out: Int32Array,
): void {
  const { data, width } = frame;
  const [red, green, blue] = fill;
  if (y < 0 || y >= frame.height) {
    for (let k = 0; k < 3 * size; k += 3) {
      out[k] = red * ONE;
      out[k + 1] = green * ONE;
      out[k + 2] = blue * ONE;
    }
    return;
  }
  const base = y * width;
  for (let u = 0, k = 0; u < size; u++, k += 3) {
    const [a, b] = [columns.nearWeight[u], columns.farWeight[u]];
    const [x0, x1] = [left + columns.near[u], left + columns.far[u]];
    const p = x0 >= 0 && x0 < width ? 4 * (base + x0) : -1;
    const q = x1 >= 0 && x1 < width ? 4 * (base + x1) : -1;
    out[k] = a * (p < 0 ? red : data[p]) + b * (q < 0 ? red : data[q]);
    out[k + 1] = a * (p < 0 ? green : data[p + 1]) + b * (q < 0 ? green : data[q + 1]);
    out[k + 2] = a * (p < 0 ? blue : data[p + 2]) + b * (q < 0 ? blue : data[q + 2]);
  }
}

/** Scale and shift a frame into a patch, in single precision, with a color beyond the frame. */
function warp(
  frame: Picture,
  stepX: number,
  stepY: number,
  left: number,
  top: number,
  size: number,
  border: Color,
  out: Uint8Array,
  offset: number,
): void {
  const { fround } = Math;
  const { width, height, data } = frame;
  const fill = border.map(roundEven);
  const [mx, my, x0, y0] = [fround(stepX), fround(stepY), fround(left), fround(top)];
  const columns = new Int32Array(size);
  const shares = new Float32Array(size);
  for (let u = 0; u < size; u++) {
    const x = fround(mx * u + x0); // one rounding, as a fused multiply-add has
    columns[u] = Math.floor(x);
    shares[u] = x - columns[u];
  }
  for (let v = 0, at = offset; v < size; v++) {
    const y = fround(fround(my * v) + y0);
    const row = Math.floor(y);
    const down = fround(y - row);
    for (let u = 0; u < size; u++) {
      const [column, right] = [columns[u], shares[u]];
      const inX0 = column >= 0 && column < width;
      const inX1 = column >= -1 && column < width - 1;
      const inY0 = row >= 0 && row < height;
      const inY1 = row >= -1 && row < height - 1;
      const place = 4 * (row * width + column);
      for (let c = 0; c < 3; c++, at++) {
        const p00 = inX0 && inY0 ? data[place + c] : fill[c];
        const p01 = inX1 && inY0 ? data[place + 4 + c] : fill[c];
        const p10 = inX0 && inY1 ? data[place + 4 * width + c] : fill[c];
        const p11 = inX1 && inY1 ? data[place + 4 * width + 4 + c] : fill[c];
        const upper = fround(p00 + right * (p01 - p00));
        const lower = fround(p10 + right * (p11 - p10));
        out[at] = roundEven(fround(upper + down * fround(lower - upper)));
      }
    }
  }
}

interface Share {
  to: number;
  from: number;
  weight: number;
}

/** Which pixels of an axis go into which of the smaller one, and with what weight. */
function shares(source: number, count: number): Share[] {
  const found: Share[] = [];
  const scale = source / count;
  for (let to = 0; to < count; to++) {
    const [low, high] = [to * scale, to * scale + scale];
    const width = Math.min(scale, source - low);
    const end = Math.min(Math.floor(high), source - 1);
    const begin = Math.min(Math.ceil(low), end);
    const add = (from: number, share: number) =>
      found.push({ to, from, weight: Math.fround(share / width) });
    if (begin - low > 1e-3) add(begin - 1, begin - low);
    for (let from = begin; from < end; from++) add(from, 1);
    if (high - end > 1e-3) add(end, Math.min(high - end, 1, width));
  }
  return found;
}

/** Average a part of a frame down by whole blocks, or by shares of pixels where they do not fit. */
function average(
  frame: Picture,
  x0: number,
  y0: number,
  x1: number,
  y1: number,
  block: number,
): Picture {
  const [w, h] = [x1 - x0, y1 - y0];
  const width = Math.max(1, Math.floor(w / block));
  const height = Math.max(1, Math.floor(h / block));
  const data = new Uint8Array(4 * width * height);
  const [fx, fy] = [w / width, h / height];
  if (Number.isInteger(fx) && Number.isInteger(fy)) {
    averageBlocks(frame, x0, y0, fx, fy, width, height, data);
  } else {
    averageShares(frame, x0, y0, shares(w, width), shares(h, height), width, height, data);
  }
  return { width, height, data };
}

function averageBlocks(
  frame: Picture,
  x0: number,
  y0: number,
  fx: number,
  fy: number,
  width: number,
  height: number,
  out: Uint8Array,
): void {
  const sums = new Int32Array(3 * width);
  const factor = Math.fround(1 / (fx * fy));
  for (let row = 0, at = 0; row < height; row++) {
    sums.fill(0);
    for (let y = 0; y < fy; y++) {
      let from = 4 * ((y0 + row * fy + y) * frame.width + x0);
      for (let k = 0; k < 3 * width; k += 3) {
        for (let x = 0; x < fx; x++, from += 4) {
          sums[k] += frame.data[from];
          sums[k + 1] += frame.data[from + 1];
          sums[k + 2] += frame.data[from + 2];
        }
      }
    }
    for (let k = 0; k < 3 * width; k++) {
      out[at++] =
        fx === 2 && fy === 2 ? (sums[k] + 2) >> 2 : roundEven(Math.fround(sums[k] * factor));
      if (k % 3 === 2) at++;
    }
  }
}

function averageShares(
  frame: Picture,
  x0: number,
  y0: number,
  across: Share[],
  down: Share[],
  width: number,
  height: number,
  out: Uint8Array,
): void {
  const sums = new Float32Array(3 * width * height);
  const line = new Float32Array(3 * width);
  let last = -1;
  for (const { to, from, weight } of down) {
    if (from !== last) {
      line.fill(0);
      const base = 4 * ((y0 + from) * frame.width + x0);
      for (const each of across) {
        for (let c = 0; c < 3; c++) {
          const k = 3 * each.to + c;
          line[k] += Math.fround(frame.data[base + 4 * each.from + c] * each.weight);
        }
      }
      last = from;
    }
    for (let k = 0, at = 3 * width * to; k < 3 * width; k++, at++) {
      sums[at] += Math.fround(line[k] * weight);
    }
  }
  for (let k = 0, at = 0; k < sums.length; k++) {
    out[at++] = Math.min(255, roundEven(sums[k]));
    if (k % 3 === 2) at++;
  }
}
