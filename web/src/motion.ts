// How a target has moved so far: where it is expected next, and how far from there it may be. The
// counterparts are `Motion` in siamtrack.tracking.target and `Expectation` in siamtrack.tracking.decode.
import { centerOf, type Box } from "./boxes.js";
import { CONSTANTS, type MotionSettings } from "./settings.js";

const { FIRST_PACE, FASTER, SLOWER, TURN, MOST, KNOWN_AFTER } = CONSTANTS;

/** Where the target should be: shift from the center of its last box, and spread in its sizes. */
export interface Expectation {
  shift: [number, number];
  spread: number;
}

/** How likely each cell of a response is, (cells, cells), 1 at the expected place. */
export function likelihood(
  expected: Expectation,
  size: number,
  cells: number,
  step: number,
): Float64Array {
  const along = (to: number): number[] =>
    Array.from({ length: cells }, (_, k) => {
      const apart = ((k - (cells - 1) / 2) * step - to) / (size * expected.spread);
      return Math.exp(-0.5 * apart * apart);
    });
  const [x, y] = expected.shift.map(along);
  const found = new Float64Array(cells * cells);
  for (let row = 0, at = 0; row < cells; row++) {
    for (let column = 0; column < cells; column++, at++) found[at] = y[row] * x[column];
  }
  return found;
}

/** Velocity and pace of one target, learned while it is followed. */
export class Motion {
  private pace = FIRST_PACE;
  private velocity: [number, number] = [0, 0];
  private frames = 0;

  constructor(private readonly settings: MotionSettings) {}

  /** Where the target should be next; null where nobody can say. */
  expected(): Expectation | null {
    const { weight, spread, reach, follow } = this.settings;
    if (weight === 0 || this.frames < KNOWN_AFTER) return null;
    const [x, y] = this.velocity;
    return {
      shift: [follow * x, follow * y],
      spread: Math.min(Math.max(spread, reach * this.pace), MOST),
    };
  }

  /** Take in a step of a target that is followed. */
  moved(before: Box, now: Box): void {
    if (this.settings.weight === 0) return;
    const [a, b] = [centerOf(before), centerOf(now)];
    const step = [b[0] - a[0], b[1] - a[1]];
    const { follow } = this.settings;
    const apart = Math.hypot(
      step[0] - follow * this.velocity[0],
      step[1] - follow * this.velocity[1],
    );
    const pace = Math.min(apart / Math.sqrt(before[2] * before[3]), MOST);
    this.pace += (pace > this.pace ? FASTER : SLOWER) * (pace - this.pace);
    this.velocity[0] += TURN * (step[0] - this.velocity[0]);
    this.velocity[1] += TURN * (step[1] - this.velocity[1]);
    this.frames += 1;
  }

  /** Expect a target that is not to be seen where it was seen last. */
  lost(): void {
    this.velocity = [0, 0];
    this.frames += 1;
  }
}
