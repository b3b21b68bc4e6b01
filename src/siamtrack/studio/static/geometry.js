// Boxes [left, top, width, height] in frame pixels, and how they change under a hand.

export const HANDLES = [
  ["nw", 0, 0], ["n", 0.5, 0], ["ne", 1, 0], ["e", 1, 0.5],
  ["se", 1, 1], ["s", 0.5, 1], ["sw", 0, 1], ["w", 0, 0.5],
];

export function between(a, b) {
  return [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.abs(a[0] - b[0]), Math.abs(a[1] - b[1])];
}

export const inside = (box, [x, y]) =>
  x >= box[0] && y >= box[1] && x <= box[0] + box[2] && y <= box[1] + box[3];

// Move the named sides by dx, dy; "" moves the whole box.
export function drag(box, sides, dx, dy) {
  let [left, top, right, bottom] = [box[0], box[1], box[0] + box[2], box[1] + box[3]];
  if (!sides) return [left + dx, top + dy, box[2], box[3]];
  if (sides.includes("w")) left += dx;
  if (sides.includes("e")) right += dx;
  if (sides.includes("n")) top += dy;
  if (sides.includes("s")) bottom += dy;
  return between([left, top], [right, bottom]);
}

export function grow(box, factor) {
  const [w, h] = [Math.max(2, box[2] * factor), Math.max(2, box[3] * factor)];
  return [box[0] + (box[2] - w) / 2, box[1] + (box[3] - h) / 2, w, h];
}

export function clamp(box, width, height) {
  const left = Math.max(0, Math.min(box[0], width - 2));
  const top = Math.max(0, Math.min(box[1], height - 2));
  const right = Math.min(width, Math.max(box[0] + box[2], left + 2));
  const bottom = Math.min(height, Math.max(box[1] + box[3], top + 2));
  return [left, top, right - left, bottom - top];
}

export function handleAt(box, point, reach) {
  for (const [name, fx, fy] of HANDLES) {
    const dx = box[0] + fx * box[2] - point[0];
    const dy = box[1] + fy * box[3] - point[1];
    if (Math.hypot(dx, dy) <= reach) return name;
  }
  return null;
}
