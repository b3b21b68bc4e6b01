// The picture with its boxes; drawing and changing boxes by mouse, finger and keyboard.
import { fit, token } from "./dom.js";
import { between, clamp, drag, grow, handleAt, inside } from "./geometry.js";
import { paintBox, paintOutline } from "./paint.js";
import { LOST, UNCERTAIN } from "./store.js";

const CURSORS = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" };

export class Stage {
  constructor(canvas, store, frames, options = {}) {
    this.canvas = canvas;
    this.store = store;
    this.frames = frames;
    this.model = options.model || (() => store.model);
    this.outlines = options.outlines || null;
    this.onBox = options.onBox || null;
    this.onDraft = options.onDraft || (() => {});
    this.shown = 0; // the frame whose picture is drawn; boxes are of this one, never of another
    this.zoom = 1;
    this.center = null;
    this.pointers = new Map();
    this.hand = null; // what the pointer does
    this.draft = null; // a box under way: {box, id}
    this.adding = false; // whether the next box is a new target
    new ResizeObserver(() => this.draw()).observe(canvas);
    if (this.onBox) this.listen();
  }

  get size() {
    return [this.store.project?.width || 16, this.store.project?.height || 9];
  }

  // Frame pixels to CSS pixels: x * scale + left.
  view() {
    const [width, height] = this.size;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const scale = Math.min(w / width, h / height) * this.zoom;
    const [cx, cy] = this.zoom === 1 || !this.center ? [width / 2, height / 2] : this.center;
    return { scale, left: w / 2 - cx * scale, top: h / 2 - cy * scale };
  }

  point(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const { scale, left, top } = this.view();
    return [(event.clientX - bounds.left - left) / scale, (event.clientY - bounds.top - top) / scale];
  }

  draw() {
    if (this.queued) return;
    this.queued = requestAnimationFrame(() => {
      this.queued = 0;
      this.paint();
    });
  }

  paint() {
    const canvas = this.canvas;
    if (!this.store.project || !canvas.clientWidth) return;
    const ratio = fit(canvas, canvas.clientWidth, canvas.clientHeight);
    const context = canvas.getContext("2d");
    const { scale, left, top } = this.view();
    const [width, height] = this.size;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    const picture = this.frames.get(this.store.frame);
    if (picture) {
      this.shown = this.store.frame;
      this.last = picture;
    }
    const drawn = picture || this.frames.get(this.shown);
    context.imageSmoothingEnabled = scale < 3;
    if (drawn) context.drawImage(drawn, left, top, width * scale, height * scale);
    const targets = this.store.targets.filter(({ id }) => this.draft?.id !== id);
    canvas.dataset.outlines = targets.filter((target) => this.paintOutline(context, target)).length;
    for (const target of targets) this.paintTarget(context, target);
    if (this.draft) {
      const target = this.store.target(this.draft.id);
      const name = target ? target.name : ["New target", this.store.nextClass].filter(Boolean).join(", ");
      paintBox(context, this.draft.box, target ? this.store.color(target) : token("accent"), this.view(), {
        selected: true, label: `${name} · ${this.sizeText(this.draft.box)}`,
      });
    }
    canvas.dataset.frame = this.shown;
  }

  // Whether there is an outline of a target to be drawn.
  paintOutline(context, target) {
    const box = this.store.box(target.id, this.shown, this.model());
    const polygons = box && this.outlines?.of(this.model(), this.shown, target.id, box);
    if (!polygons) return false;
    paintOutline(context, polygons, this.store.color(target), this.view());
    return true;
  }

  sizeText(box) {
    return `${Math.round(box[2])} × ${Math.round(box[3])}`;
  }

  paintTarget(context, target) {
    const tracks = this.store.tracks(target.id, this.model());
    const box = tracks?.box(this.shown);
    if (!box) return;
    const state = tracks.state[this.shown];
    paintBox(context, box, this.store.color(target), this.view(), {
      selected: this.onBox && target.id === this.store.selected,
      dashed: state === LOST || state === UNCERTAIN,
      faint: state === LOST,
      key: this.store.isKey(target, this.shown),
      label: target.name + (state === LOST ? " · lost" : state === UNCERTAIN ? " ?" : ""),
    });
  }

  // By pointer

  listen() {
    const canvas = this.canvas;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => {
      this.pointers.delete(event.pointerId);
      this.cancel();
    });
    canvas.addEventListener("dblclick", () => this.setZoom(1));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.setZoom(this.zoom * Math.exp(-event.deltaY / 400), this.point(event));
    }, { passive: false });
  }

  setZoom(zoom, keep = null) {
    const before = this.view();
    const [w, h] = [this.canvas.clientWidth, this.canvas.clientHeight];
    this.zoom = Math.max(1, Math.min(12, zoom));
    const after = this.view().scale;
    if (keep) {
      const [x, y] = [keep[0] * before.scale + before.left, keep[1] * before.scale + before.top];
      this.center = [keep[0] + (w / 2 - x) / after, keep[1] + (h / 2 - y) / after];
    }
    if (this.zoom === 1) this.center = null;
    this.draw();
  }

  // The targets whose boxes are under the pointer, the smallest first.
  targetsAt(point) {
    const hits = [];
    for (const target of this.store.targets) {
      const box = this.store.box(target.id, this.shown, this.store.model);
      if (box && inside(box, point)) hits.push([target, box]);
    }
    return hits.sort((a, b) => a[1][2] * a[1][3] - b[1][2] * b[1][3]);
  }

  // A click selects; where boxes lie over one another, the next one of them.
  pick(point) {
    const ids = this.targetsAt(point).map(([target]) => target.id);
    if (ids.length) this.store.select(ids[(ids.indexOf(this.store.selected) + 1) % ids.length]);
  }

  // What a drag would take hold of: a box under way, or the selected one. Of another target only a
  // click takes hold, so that a drag corrects what is selected wherever it begins.
  grip(event, point) {
    if (event.altKey || (this.adding && !this.draft)) return null; // draw, whatever lies below
    const reach = (event.pointerType === "touch" ? 18 : 8) / this.view().scale;
    const selected = this.store.selected;
    const own = this.draft ? this.draft.box : selected !== null && this.store.box(selected, this.shown, this.store.model);
    if (own) {
      const sides = handleAt(own, point, reach);
      if (sides) return { id: this.draft ? this.draft.id : selected, box: own, sides };
    }
    if (this.draft && inside(this.draft.box, point)) return { ...this.draft, sides: "" };
    const hit = this.targetsAt(point).find(([target]) => selected === null || target.id === selected);
    return hit ? { id: hit[0].id, box: [...hit[1]], sides: "" } : null;
  }

  down(event) {
    if (!this.store.project?.exact || event.button > 1) return; // no box on a frame of unsure number
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const point = this.point(event);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    if (this.pointers.size === 2) {
      this.draft = null;
      this.hand = { kind: "pinch", spread: this.spread(), zoom: this.zoom };
      return this.draw();
    }
    if (event.button === 1) {
      this.hand = { kind: "pan", from: point };
      return;
    }
    const grip = this.grip(event, point);
    this.hand = grip ? { kind: "change", from: point, ...grip } : { kind: "draw", from: point };
    if (grip && grip.id !== null) this.store.select(grip.id);
  }

  spread() {
    const [a, b] = [...this.pointers.values()];
    return Math.hypot(a[0] - b[0], a[1] - b[1]);
  }

  move(event) {
    const point = this.point(event);
    if (this.pointers.has(event.pointerId)) this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    const hand = this.hand;
    if (!hand) {
      const grip = this.store.project && this.grip(event, point);
      this.canvas.style.cursor = grip ? (grip.sides ? `${CURSORS[grip.sides]}-resize` : "move") : "crosshair";
      return;
    }
    const [width, height] = this.size;
    if (hand.kind === "pinch") {
      if (this.pointers.size === 2) this.setZoom((hand.zoom * this.spread()) / Math.max(1, hand.spread), point);
    } else if (hand.kind === "pan") {
      const [cx, cy] = this.center || [width / 2, height / 2];
      this.center = [cx + hand.from[0] - point[0], cy + hand.from[1] - point[1]];
    } else if (hand.kind === "draw") {
      const far = Math.hypot(point[0] - hand.from[0], point[1] - hand.from[1]) * this.view().scale > 4;
      if (far || hand.moved) {
        hand.moved = true;
        this.draft = { box: clamp(between(hand.from, point), width, height), id: this.adding ? null : this.store.selected };
      }
    } else {
      const [dx, dy] = [point[0] - hand.from[0], point[1] - hand.from[1]];
      if (hand.moved || Math.hypot(dx, dy) * this.view().scale > 3) {
        hand.moved = true;
        this.draft = { box: drag(hand.box, hand.sides, dx, dy), id: hand.id, kept: hand.id === null };
      }
    }
    this.draw();
  }

  up(event) {
    this.pointers.delete(event.pointerId);
    const hand = this.hand;
    this.hand = null;
    if (!hand || hand.kind === "pinch" || hand.kind === "pan") return;
    if (!hand.moved) {
      if (!this.draft && !this.adding) this.pick(this.point(event));
    } else if (this.draft) {
      this.commit();
    }
    this.draw();
  }

  cancel() {
    this.draft = this.hand = null;
    this.adding = false;
    this.onDraft(null);
    this.draw();
  }

  // The next box is a new target: drawn by pointer, or placed by keyboard.
  add() {
    this.draft = null;
    this.adding = true;
    this.canvas.focus({ preventScroll: true });
    this.onDraft(null);
    this.draw();
  }

  async commit() {
    const { box, id } = this.draft;
    const [width, height] = this.size;
    const whole = clamp(box, width, height);
    if (whole[2] < 3 || whole[3] < 3) {
      this.draft = null;
      return this.draw();
    }
    const frame = this.shown;
    if (id === null) this.adding = false;
    this.onDraft(null);
    await this.onBox(id, frame, whole);
    this.draft = null;
    this.draw();
  }

  // By keyboard

  beginDraft(id) {
    const [width, height] = this.size;
    const side = Math.min(width, height) / 4;
    const old = id !== null && this.store.box(id, this.shown, this.store.model);
    this.adding = id === null;
    this.draft = { box: old || [(width - side) / 2, (height - side) / 2, side, side], id };
    this.canvas.focus({ preventScroll: true });
    this.onDraft(this.draft);
    this.draw();
  }

  nudge(event) {
    const step = event.shiftKey ? 10 : 1;
    const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    this.draft.box = drag(this.draft.box, event.ctrlKey || event.metaKey ? "se" : "", dx, dy);
    this.keep();
  }

  scaleDraft(factor) {
    this.draft.box = grow(this.draft.box, factor);
    this.keep();
  }

  keep() {
    this.draft.box = clamp(this.draft.box, ...this.size);
    this.onDraft(this.draft);
    this.draw();
  }
}
