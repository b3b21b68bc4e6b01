// The page on which the targets of one command are drawn.
import { $, fit, h } from "./dom.js";
import { between, clamp, drag, handleAt, HANDLES, inside } from "./geometry.js";
import { follow, words } from "./progress.js";

const canvas = $("stage");
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let clip = null, frame = 0, image = null, boxes = [], chosen = null, hand = null, sent = false;

const color = (number) => `hsl(${Math.round((119 + number * 222.5) % 360)} 85% 50%)`;

function say(text) {
  $("said").textContent = text;
  $("said").hidden = !text;
}

async function ask(path, values) {
  const options = values && {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(values),
  };
  const answer = await fetch(path, options);
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new Error(told.error || `the command answered ${answer.status}`);
  }
  return answer;
}

// Pictures

let wanted = null, loading = false;

async function load(index) {
  wanted = { index };
  if (loading) return;
  loading = true;
  while (wanted) {
    const { index } = wanted;
    wanted = null;
    try {
      const answer = await ask(index === null ? "/api/frame" : `/api/frame?frame=${index}`);
      const number = Number(answer.headers.get("x-frame"));
      const picture = await createImageBitmap(await answer.blob());
      if (clip.live && hand) break; // the box being drawn belongs to the picture before
      [image, frame] = [picture, number];
      draw();
    } catch (error) {
      say(error.message);
      break;
    }
  }
  loading = false;
}

function go(index) {
  const { first, last, stride } = clip;
  const to = first + Math.round((Math.min(Math.max(index, first), last) - first) / stride) * stride;
  $("slider").value = to;
  $("where").textContent = `frame ${to}`;
  load(to);
}

// A camera shows its newest picture until a box is drawn on it.
async function live() {
  while (!sent) {
    if (!boxes.length && !hand) await load(null);
    await wait(60);
  }
}

// Drawing

function view() {
  const ratio = fit(canvas, canvas.clientWidth, canvas.clientHeight);
  const scale = Math.min(canvas.clientWidth / clip.width, canvas.clientHeight / clip.height);
  const left = (canvas.clientWidth - clip.width * scale) / 2;
  const top = (canvas.clientHeight - clip.height * scale) / 2;
  return { ratio, scale, left, top };
}

function draw() {
  if (!clip) return;
  const { ratio, scale, left, top } = view();
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
  if (image) pen.drawImage(image, left, top, clip.width * scale, clip.height * scale);
  boxes.forEach((each, number) => {
    if (each.frame !== frame) return;
    const [x, y, w, hgt] = each.box.map((side) => side * scale);
    pen.lineWidth = each === chosen ? 3 : 2;
    pen.strokeStyle = "#000a";
    pen.strokeRect(left + x - 1, top + y - 1, w + 2, hgt + 2);
    pen.strokeStyle = color(number);
    pen.strokeRect(left + x, top + y, w, hgt);
    if (each !== chosen) return;
    pen.fillStyle = color(number);
    for (const [, fx, fy] of HANDLES) pen.fillRect(left + x + fx * w - 4, top + y + fy * hgt - 4, 8, 8);
  });
}

function point(event) {
  const { scale, left, top } = view();
  const area = canvas.getBoundingClientRect();
  return [(event.clientX - area.left - left) / scale, (event.clientY - area.top - top) / scale];
}

canvas.onpointerdown = (event) => {
  if (!clip || !image || sent || event.button) return;
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  const at = point(event);
  const here = boxes.filter((each) => each.frame === frame);
  const sides = chosen?.frame === frame ? handleAt(chosen.box, at, 10 / view().scale) : null;
  if (sides) hand = { at, sides, box: chosen.box, target: chosen };
  else {
    const hit = here.reverse().find((each) => inside(each.box, at));
    hand = hit ? { at, sides: "", box: hit.box, target: hit } : { at, target: null };
    if (hit) choose(hit);
  }
};

canvas.onpointermove = (event) => {
  if (!hand) return;
  const at = point(event);
  const [dx, dy] = [at[0] - hand.at[0], at[1] - hand.at[1]];
  if (!hand.moved && Math.hypot(dx, dy) * view().scale < 4) return;
  hand.moved = true;
  if (!hand.target) {
    hand.target = { frame, box: [0, 0, 2, 2], name: "", kind: boxes.at(-1)?.kind || "" };
    hand.fresh = true;
    boxes.push(hand.target);
    chosen = hand.target;
  }
  const box = hand.fresh ? between(hand.at, at) : drag(hand.box, hand.sides, dx, dy);
  hand.target.box = clamp(box, clip.width, clip.height);
  draw();
};

canvas.onpointerup = canvas.onpointercancel = () => {
  const made = hand;
  hand = null;
  if (made?.fresh && Math.min(made.target.box[2], made.target.box[3]) < 3) remove(made.target);
  else if (made?.fresh) list(true);
  else list();
};

canvas.onkeydown = (event) => {
  const step = event.shiftKey ? 10 : 1;
  const move = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
  if (move && chosen?.frame === frame) {
    chosen.box = clamp(drag(chosen.box, event.ctrlKey || event.metaKey ? "se" : "", ...move), clip.width, clip.height);
    draw();
  } else if (event.key === "ArrowLeft") go(frame - clip.stride);
  else if (event.key === "ArrowRight") go(frame + clip.stride);
  else if (event.key === "Delete" && chosen) remove(chosen);
  else if (event.key === "Escape") choose(null);
  else return;
  event.preventDefault();
};

// The list

function choose(target) {
  chosen = target;
  if (target && target.frame !== frame && !clip.live) go(target.frame);
  list();
}

function remove(target) {
  boxes = boxes.filter((each) => each !== target);
  if (chosen === target) chosen = boxes.at(-1) || null;
  list();
}

function list(focus = false) {
  say("");
  $("empty").hidden = boxes.length > 0;
  $("track").disabled = !boxes.length;
  const known = [...new Set(boxes.map((each) => each.kind).filter(Boolean))];
  $("classes").replaceChildren(...known.map((kind) => h("option", { value: kind })));
  $("list").replaceChildren(...boxes.map((each, number) => {
    const swatch = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
    for (const [name, value] of [["cx", 7], ["cy", 7], ["r", 6], ["fill", color(number)], ["stroke", "none"]]) circle.setAttribute(name, value);
    swatch.setAttribute("viewBox", "0 0 14 14");
    swatch.setAttribute("class", "swatch");
    swatch.append(circle);
    const name = h("input", {
      value: each.name, placeholder: `target ${number}`, maxLength: 100, oninput: (event) => (each.name = event.target.value),
      onfocus: () => pickOut(each),
    });
    name.setAttribute("aria-label", `Name of target ${number}`);
    const kind = h("input", {
      value: each.kind, placeholder: "class, such as person", maxLength: 100, oninput: (event) => (each.kind = event.target.value),
      onfocus: () => pickOut(each),
    });
    kind.setAttribute("aria-label", `Class of target ${number}`);
    kind.setAttribute("list", "classes");
    const gone = h("button", { className: "quiet", textContent: "×", title: "Remove this box", onclick: () => remove(each) });
    gone.setAttribute("aria-label", `Remove target ${number}`);
    const item = h("li", {}, swatch, name, gone, kind, h("small", { textContent: clip.live ? "" : `frame ${each.frame}` }));
    item.setAttribute("aria-current", each === chosen);
    if (focus && each === chosen) setTimeout(() => name.focus(), 0);
    return item;
  }));
  draw();
}

function pickOut(target) {
  if (target === chosen) return;
  chosen = target;
  if (target.frame !== frame && !clip.live) go(target.frame);
  for (const [number, item] of [...$("list").children].entries()) item.setAttribute("aria-current", boxes[number] === target);
  draw();
}

// Both ends

function middle() {
  const side = Math.min(clip.width, clip.height) / 4;
  const target = { frame, box: [(clip.width - side) / 2, (clip.height - side) / 2, side, side], name: "", kind: "" };
  boxes.push(target);
  chosen = target;
  list();
  canvas.focus();
}

async function track() {
  if (!boxes.length || sent) return;
  sent = true;
  $("track").disabled = true;
  try {
    const rows = boxes.map((each) => ({ frame: each.frame, box: each.box, name: each.name, class: each.kind }));
    const { onward } = await (await ask("/api/track", { boxes: rows })).json();
    if (onward) return location.replace(onward);
    document.querySelector("main").inert = true;
    $("cancel").hidden = $("track").hidden = true;
    $("after").hidden = false;
    follow((state) => {
      const over = state.state === "done" || state.state === "gone";
      $("after-title").textContent = over ? "Done" : "Tracking";
      if (state.total) $("progress").value = over ? 1 : state.frames / state.total;
      else if (over) $("progress").hidden = true;
      $("after-text").textContent = words(state);
    });
  } catch (error) {
    sent = false;
    $("track").disabled = false;
    say(error.message);
  }
}

async function facts() {
  clip = await (await ask("/api/clip")).json();
  $("slider").min = clip.first;
  $("slider").max = clip.last;
  $("slider").step = clip.stride;
  $("scrub").hidden = clip.last <= clip.first;
  return clip.known;
}

$("track").onclick = track;
$("new").onclick = middle;
$("back").onclick = () => go(frame - clip.stride);
$("on").onclick = () => go(frame + clip.stride);
$("slider").oninput = (event) => go(Number(event.target.value));
$("cancel").onclick = async () => {
  sent = true;
  await ask("/api/cancel", {}).catch(() => {});
  document.querySelector("main").inert = true;
  $("cancel").hidden = $("track").hidden = true;
  say("Nothing was tracked. You can close this page.");
};
addEventListener("keydown", (event) => {
  if (event.target.matches?.("input") && event.key !== "Enter") return;
  if (event.key === "Enter" && !event.target.matches?.("button")) track();
  else if ((event.key === "n" || event.key === "N") && clip && !event.ctrlKey && !event.metaKey) middle();
});
new ResizeObserver(draw).observe(canvas);

const known = await facts();
$("clip-name").textContent = clip.name;
document.title = `Draw the targets: ${clip.name}`;
boxes = clip.boxes.map((each) => ({ frame: each.frame, box: each.box, name: each.name, kind: each.class }));
chosen = boxes.at(-1) || null;
if (clip.live) live();
else go(boxes[0]?.frame ?? clip.first);
list();
for (let ready = known; !ready; ) { // a file whose head does not list its frames is read through
  await wait(1000);
  ready = await facts();
}
