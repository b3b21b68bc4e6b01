// A classifier learned while tracking: which cells of the search feature are the target's. The
// counterpart of siamtrack.tracking.online, in double precision as there.
import { roundEven, type Box } from "./boxes.js";
import { CONSTANTS, type Online } from "./settings.js";

const { OWN, TRUE, CLEAR } = CONSTANTS;

/** A search feature (channels, rows * columns), and one over the length of each cell. */
export interface Cells {
  features: Float64Array;
  factors: Float64Array;
  channels: number;
  rows: number;
  columns: number;
  finite: boolean;
}

/** The cells of a search feature (channels, rows, columns). */
export function cellsOf(
  values: Float32Array,
  channels: number,
  rows: number,
  columns: number,
): Cells {
  const places = rows * columns;
  const features = Float64Array.from(values);
  const factors = new Float64Array(places);
  for (let c = 0, at = 0; c < channels; c++) {
    for (let n = 0; n < places; n++, at++) factors[n] += features[at] * features[at];
  }
  let total = 0;
  for (let n = 0; n < places; n++) {
    total += factors[n];
    factors[n] = 1 / Math.max(Math.sqrt(factors[n]), 1e-6);
  }
  return { features, factors, channels, rows, columns, finite: Number.isFinite(total) };
}

/** Places of the cells along a side in patch pixels, the grid in the middle. */
export function cellCenters(count: number, stride: number, patch: number): number[] {
  return Array.from({ length: count }, (_, k) => (k - (count - 1) / 2) * stride + patch / 2);
}

/** Linear classifier of cells, one for each target. */
export class OnlineClassifier {
  private moments: Float64Array<ArrayBufferLike> | null = null;
  private targets: Float64Array<ArrayBufferLike> = new Float64Array(0);
  private weights: Float64Array | null = null;

  constructor(
    private readonly settings: Online,
    private readonly stride: number,
    private readonly patch: number,
  ) {}

  /** Weight of a frame that is learned against all before it. */
  private get share(): number {
    return 1 - (1 - this.settings.rate) ** this.settings.every;
  }

  /** Take in a frame in which the target is at `box`, in patch pixels; the first counts fully. */
  learn(seen: Cells, box: Box, share = this.share): void {
    const [truth, weight] = this.labels(seen, box);
    const moments = products(seen, weight);
    const targets = sums(seen, weight.map((value, n) => value * truth[n]));
    if (this.moments === null) {
      [this.moments, this.targets] = [moments, targets];
    } else {
      for (let k = 0; k < moments.length; k++) {
        this.moments[k] = this.moments[k] * (1 - share) + moments[k] * share;
      }
      for (let k = 0; k < targets.length; k++) {
        this.targets[k] = (1 - share) * this.targets[k] + share * targets[k];
      }
    }
    // Ridge: the least part keeps the system solvable where no cell had a say
    const size = targets.length;
    const system = this.moments.slice();
    let trace = 0;
    for (let k = 0; k < size; k++) trace += system[k * size + k];
    const ridge = (this.settings.ridge * trace) / size + 1e-9;
    for (let k = 0; k < size; k++) system[k * size + k] += ridge;
    this.weights = solve(system, this.targets);
  }

  /** How much each cell looks like the target, (rows * columns) in [0, 1]. */
  scores(seen: Cells): Float32Array {
    if (this.weights === null) throw new Error("scores before learn: give it the first frame");
    const places = seen.rows * seen.columns;
    const flat = new Float64Array(places);
    for (let c = 0, at = 0; c < seen.channels; c++) {
      const weight = this.weights[c];
      for (let n = 0; n < places; n++, at++) flat[n] += weight * seen.features[at];
    }
    const constant = this.weights[seen.channels];
    return Float32Array.from(flat, (value, n) =>
      Math.min(Math.max(value * seen.factors[n] + constant, 0), 1),
    );
  }

  /** Mix what this says into the network's scores of the windows seen, all in one array. */
  mix(scores: Float32Array, seen: Cells[]): Float32Array {
    const weight = Math.fround(this.settings.weight);
    const rest = Math.fround(1 - this.settings.weight);
    const mixed = scores.map((value) => rest * value);
    let at = 0;
    for (const each of seen) {
      for (const own of this.scores(each)) mixed[at++] += Math.fround(weight * own);
    }
    return mixed;
  }

  /** The best score within a cell of a place in patch pixels; -1 outside the grid. */
  familiarity(seen: Cells, x: number, y: number): number {
    const scores = this.scores(seen);
    const { rows, columns } = seen;
    const row = roundEven((y - this.patch / 2) / this.stride + (rows - 1) / 2);
    const column = roundEven((x - this.patch / 2) / this.stride + (columns - 1) / 2);
    let best = -1;
    for (let r = Math.max(row - 1, 0); r < Math.min(row + 2, rows); r++) {
      for (let c = Math.max(column - 1, 0); c < Math.min(column + 2, columns); c++) {
        best = Math.max(best, scores[r * columns + c]);
      }
    }
    return best;
  }

  /** Truth in [0, 1] and weight of each cell. */
  private labels(seen: Cells, box: Box): [Float64Array, Float64Array] {
    const [left, top, width, height] = box;
    const { rows, columns } = seen;
    const away = (count: number, center: number): number[] =>
      cellCenters(count, this.stride, this.patch).map((place) => Math.abs(place - center));
    const xs = away(columns, left + width / 2);
    const ys = away(rows, top + height / 2);
    // A target smaller than the grid still owns the cell next to its center
    const [rx, ry] = [Math.max(OWN * width, this.stride), Math.max(OWN * height, this.stride)];
    const truth = new Float64Array(rows * columns);
    const side = new Int8Array(rows * columns);
    let [inside, outside] = [0, 0];
    for (let row = 0, n = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++, n++) {
        const [x, y] = [xs[column], ys[row]];
        truth[n] = Math.exp(-0.5 * ((x / rx) ** 2 + (y / ry) ** 2));
        if (truth[n] > TRUE) {
          side[n] = 1;
          inside += 1;
        } else if (x > CLEAR * width || y > CLEAR * height) {
          side[n] = -1;
          outside += 1;
          truth[n] = 0;
        }
      }
    }
    const weight = Float64Array.from(side, (each) =>
      each > 0 ? 1 / inside : each < 0 ? 1 / outside : 0,
    );
    return [truth, weight];
  }
}

/** Weighted sum of all cells, and of the constant: (channels + 1). */
function sums(seen: Cells, weight: Float64Array): Float64Array {
  const places = weight.length;
  const found = new Float64Array(seen.channels + 1);
  const scaled = weight.map((value, n) => value * seen.factors[n]);
  for (let c = 0, at = 0; c < seen.channels; c++) {
    let sum = 0;
    for (let n = 0; n < places; n++, at++) sum += seen.features[at] * scaled[n];
    found[c] = sum;
  }
  found[seen.channels] = weight.reduce((sum, value) => sum + value, 0);
  return found;
}

/** Weighted sum of the outer products of cells and constant with themselves. */
function products(seen: Cells, weight: Float64Array): Float64Array {
  const { channels, features, factors } = seen;
  const places = weight.length;
  // Only the cells that have a say, each scaled by the root of its weight
  const used: number[] = [];
  for (let n = 0; n < places; n++) if (weight[n] > 0) used.push(n);
  const count = used.length;
  const own = new Float64Array(channels * count);
  for (let c = 0; c < channels; c++) {
    for (let k = 0; k < count; k++) {
      const n = used[k];
      own[c * count + k] = features[c * places + n] * factors[n] * Math.sqrt(weight[n]);
    }
  }
  const size = channels + 1;
  const total = new Float64Array(size * size);
  for (let i = 0; i < channels; i++) {
    for (let j = i; j < channels; j++) {
      let sum = 0;
      for (let k = 0, a = i * count, b = j * count; k < count; k++) sum += own[a + k] * own[b + k];
      total[i * size + j] = total[j * size + i] = sum;
    }
  }
  const edge = sums(seen, weight);
  for (let k = 0; k < size; k++) total[channels * size + k] = total[k * size + channels] = edge[k];
  return total;
}

/** Solve a symmetric positive definite system by Cholesky's factors; `system` is overwritten. */
function solve(system: Float64Array, right: Float64Array): Float64Array {
  const size = right.length;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = system[i * size + j];
      for (let k = 0; k < j; k++) sum -= system[i * size + k] * system[j * size + k];
      system[i * size + j] = i === j ? Math.sqrt(sum) : sum / system[j * size + j];
    }
  }
  const found = right.slice();
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) found[i] -= system[i * size + k] * found[k];
    found[i] /= system[i * size + i];
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) found[i] -= system[k * size + i] * found[k];
    found[i] /= system[i * size + i];
  }
  return found;
}
