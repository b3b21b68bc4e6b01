// The picture with its boxes; drawing and changing them by mouse, finger and keyboard.
import type { Box } from "../src/index.js";
import { fit } from "../../src/siamtrack/studio/static/dom.js";
import { between, clamp, drag, handleAt, inside } from "../../src/siamtrack/studio/static/geometry.js";
import { paintBox } from "../../src/siamtrack/studio/static/paint.js";
import type { Store } from "./store.js";

type Point = [x: number, y: number];
interface Hand {
  id: number | null;
  from: Point;
  box: Box | null;
  sides: string;
  moved: boolean;
}

const STEPS: Record<string, Point> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class Stage {
  /** The frame whose picture is shown; boxes are of this one, never of another. */
  frame = 0;
  draft: { box: Box; id: number | null } | null = null;
  private readonly picture = document.createElement("canvas");
  private hand: Hand | null = null;
  private queued = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly store: Store,
    private readonly onBox: (id: number | null, box: Box) => void,
    private readonly onSelect: () => void,
  ) {
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", () => this.up());
    canvas.addEventListener("pointercancel", () => this.cancel());
  }

  /** Whether a box is being drawn: the picture stays then. */
  get busy(): boolean {
    return this.hand !== null || this.draft !== null;
  }

  /** Take over the picture of a frame. */
  show(source: CanvasImageSource, width: number, height: number, frame: number): void {
    const { picture } = this;
    if (picture.width !== width || picture.height !== height) Object.assign(picture, { width, height });
    picture.getContext("2d", { alpha: false })?.drawImage(source, 0, 0, width, height);
    this.frame = frame;
    this.draw();
  }

  /** The picture as it is shown, for a target that starts in it. */
  get shown(): HTMLCanvasElement {
    return this.picture;
  }

  draw(): void {
    this.queued ||= requestAnimationFrame(() => {
      this.queued = 0;
      this.paint();
    });
  }

  private view(): { scale: number; left: number; top: number } {
    const { width, height } = this.picture;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    const scale = Math.min(w / width, h / height);
    return { scale, left: (w - width * scale) / 2, top: (h - height * scale) / 2 };
  }

  private paint(): void {
    const { canvas, store, picture } = this;
    const context = canvas.getContext("2d");
    if (!canvas.clientWidth || !context) return;
    const ratio = fit(canvas, canvas.clientWidth, canvas.clientHeight);
    const view = this.view();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    const { scale, left, top } = view;
    context.drawImage(picture, left, top, picture.width * scale, picture.height * scale);
    for (const { id, box, state, key } of store.rows(this.frame)) {
      const target = store.target(id);
      if (!target || this.draft?.id === id) continue;
      paintBox(context, box, target.color, view, {
        selected: id === store.selected,
        dashed: state !== "tracked",
        faint: state === "lost",
        key,
        label: target.name + (state === "lost" ? " · lost" : state === "uncertain" ? " ?" : ""),
      });
    }
    if (this.draft) {
      const color = (this.draft.id !== null && store.target(this.draft.id)?.color) || "#7cc7b0";
      const [, , w, h] = this.draft.box.map(Math.round);
      paintBox(context, this.draft.box, color, view, { selected: true, label: `${w} × ${h}` });
    }
    canvas.dataset.frame = String(this.frame);
  }

  private point(event: PointerEvent): Point {
    const bounds = this.canvas.getBoundingClientRect();
    const { scale, left, top } = this.view();
    return [(event.clientX - bounds.left - left) / scale, (event.clientY - bounds.top - top) / scale];
  }

  /** What lies under the pointer: a corner of the selected box, a box, or nothing. */
  private grip(event: PointerEvent, point: Point): Omit<Hand, "from" | "moved"> | null {
    const reach = (event.pointerType === "touch" ? 18 : 8) / this.view().scale;
    const own = this.store.row(this.store.selected, this.frame);
    const sides = own && (handleAt(own.box, point, reach) as string | null);
    if (own && sides) return { id: own.id, box: own.box, sides };
    const hits = this.store.rows(this.frame).filter(({ box }) => inside(box, point));
    hits.sort((a, b) => a.box[2] * a.box[3] - b.box[2] * b.box[3]);
    const hit = hits.find(({ id }) => id === this.store.selected) ?? hits[0];
    return hit ? { id: hit.id, box: hit.box, sides: "" } : null;
  }

  private down(event: PointerEvent): void {
    if (event.button) return;
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const from = this.point(event);
    const grip = event.altKey ? null : this.grip(event, from);
    const { selected, moments } = this.store;
    // A target that has no box here yet gets the one that is drawn
    const lacks = selected !== null && !moments.get(this.frame)?.rows.has(selected);
    this.hand = { id: lacks ? selected : null, box: null, sides: "", ...grip, from, moved: false };
    if (grip) {
      this.store.selected = grip.id;
      this.onSelect();
    }
  }

  private move(event: PointerEvent): void {
    const { hand, picture } = this;
    if (!hand) return;
    const point = this.point(event);
    const [dx, dy] = [point[0] - hand.from[0], point[1] - hand.from[1]];
    hand.moved ||= Math.hypot(dx, dy) * this.view().scale > 3;
    if (!hand.moved) return;
    const box = hand.box
      ? drag(hand.box, hand.sides, dx, dy)
      : clamp(between(hand.from, point), picture.width, picture.height);
    this.draft = { box: box as Box, id: hand.id };
    this.draw();
  }

  private up(): void {
    const { hand, draft } = this;
    this.hand = null;
    if (hand?.moved && draft) this.commit();
    else if (hand && !hand.box) {
      this.store.selected = null;
      this.onSelect();
    }
    this.draw();
  }

  /** Keep the box under way. */
  commit(): void {
    if (!this.draft) return;
    const { box, id } = this.draft;
    this.draft = null;
    const whole = clamp(box, this.picture.width, this.picture.height) as Box;
    if (whole[2] >= 3 && whole[3] >= 3) this.onBox(id, whole);
    this.draw();
  }

  cancel(): void {
    this.hand = this.draft = null;
    this.draw();
  }

  /** Begin a box by keyboard: a new one, or the selected one again. */
  begin(): void {
    const { width, height } = this.picture;
    const side = Math.min(width, height) / 4;
    const box: Box = [(width - side) / 2, (height - side) / 2, side, side];
    this.draft = { box, id: null };
    this.canvas.focus({ preventScroll: true });
    this.draw();
  }

  /** Move the box under way, or its corner with Ctrl, by arrow keys. */
  nudge(event: KeyboardEvent): void {
    if (!this.draft) return;
    const [x, y] = STEPS[event.key];
    const far = event.shiftKey ? 10 : 1;
    const sides = event.ctrlKey || event.metaKey ? "se" : "";
    const box = drag(this.draft.box, sides, far * x, far * y);
    this.draft.box = clamp(box, this.picture.width, this.picture.height) as Box;
    this.draw();
  }
}
