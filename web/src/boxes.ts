// Boxes: left, top, width, height in pixels, continuous and 0-based, as in siamtrack.core.boxes.
import { CONSTANTS } from "./settings.js";

export type Box = [left: number, top: number, width: number, height: number];

/** A picture as the tracker reads it: RGBA, one byte a channel; alpha is not looked at. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array | Uint8ClampedArray;
}

export const centerOf = (box: Box): [number, number] => [
  box[0] + box[2] / 2,
  box[1] + box[3] / 2,
];

/** Round to the nearest whole number, halves to the even one, as Python and OpenCV do. */
export function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** A number with six digits, without needless zeros. */
function short(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : String(value);
}

/**
 * Return `box` if it can start a target in a frame of this size; it may reach beyond the frame.
 *
 * @throws RangeError if it has other than four finite numbers, no area, is larger than the frame, or
 * does not overlap it.
 */
export function checkBox(box: ArrayLike<number>, width: number, height: number): Box {
  const values = Array.from(box ?? []);
  if (values.length !== 4 || !values.every((value) => typeof value === "number")) {
    throw new RangeError("box: expected four numbers, left top width height in pixels");
  }
  const text = `box ${values.map(short).join(" ")}`;
  if (!values.every(Number.isFinite)) {
    throw new RangeError(`${text}: all four numbers must be finite; give left top width height`);
  }
  const [left, top, w, h] = values as Box;
  const least = CONSTANTS.LEAST;
  if (w < least || h < least) {
    const more = w <= 0 || h <= 0 ? "" : ` (at least ${least} pixels)`;
    throw new RangeError(
      `${text}: width and height must be above 0${more}; give left top width height in pixels`,
    );
  }
  if (left >= width || top >= height || left + w <= 0 || top + h <= 0) {
    throw new RangeError(
      `${text} lies outside the frame of ${width}x${height} pixels; give a box that overlaps it`,
    );
  }
  if (w > width || h > height) {
    throw new RangeError(
      `${text} is larger than the frame of ${width}x${height} pixels; ` +
        "give left top width height of the target alone",
    );
  }
  return [left, top, w, h];
}
