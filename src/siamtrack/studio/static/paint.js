// How a box looks.
import { HANDLES } from "./geometry.js";

// `view` says where frame pixels lie on the canvas, `look` what is to be seen of the box: selected,
// dashed, faint, key, label.
export function paintBox(context, box, color, { scale, left, top }, look) {
  const [x, y, w, h] = [box[0] * scale + left, box[1] * scale + top, box[2] * scale, box[3] * scale];
  context.save();
  context.globalAlpha = look.faint ? 0.75 : 1;
  context.setLineDash(look.dashed ? [6, 5] : []);
  context.lineWidth = look.selected || look.bold ? 4.5 : 3.5; // a dark rim keeps the line visible on anything
  context.strokeStyle = "rgb(0 0 0 / 55%)";
  context.strokeRect(x, y, w, h);
  context.lineWidth = look.selected || look.bold ? 2.5 : 1.75;
  context.strokeStyle = color;
  context.strokeRect(x, y, w, h);
  context.setLineDash([]);
  if (look.label) {
    context.font = "600 12px system-ui, sans-serif";
    const text = (look.key ? "◆ " : "") + look.label;
    const wide = context.measureText(text).width + 12;
    const canvas = context.canvas; // one that is not on the page is as large as its pixels
    const [fullWidth, fullHeight] = [canvas.clientWidth || canvas.width, canvas.clientHeight || canvas.height];
    const high = y > 22 ? y - 21 : Math.min(y + h + 3, fullHeight - 20);
    const from = Math.max(2, Math.min(x - 1, fullWidth - wide - 2));
    context.fillStyle = "rgb(16 18 20 / 78%)";
    context.beginPath();
    context.roundRect(from, high, wide, 18, 5);
    context.fill();
    context.fillStyle = look.faint ? "#e6e6e6" : color;
    context.textBaseline = "middle";
    context.fillText(text, from + 6, high + 9.5);
  }
  if (look.selected) {
    context.fillStyle = "#fff";
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    context.lineWidth = 1;
    for (const [, fx, fy] of w > 44 && h > 44 ? HANDLES : HANDLES.filter((each) => each[0].length === 2)) {
      context.beginPath();
      context.arc(x + fx * w, y + fy * h, 4.5, 0, 7);
      context.fill();
      context.stroke();
    }
  }
  context.restore();
}

// How an outline looks: `polygons` [x, y, x, y, ...] in frame pixels; `view` as above.
export function paintOutline(context, polygons, color, { scale, left, top }) {
  context.save();
  context.beginPath();
  for (const points of polygons) {
    for (let k = 0; k < points.length; k += 2) {
      context[k ? "lineTo" : "moveTo"](points[k] * scale + left, points[k + 1] * scale + top);
    }
    context.closePath();
  }
  context.fillStyle = context.strokeStyle = color;
  context.globalAlpha = 0.28;
  context.fill("evenodd");
  context.globalAlpha = 1;
  context.lineJoin = "round";
  context.lineWidth = 1.5;
  context.stroke();
  context.restore();
}
