// Score over time, one row for each target: how sure, where lost, where absent, where corrected.
import { fit, token } from "./dom.js";
import { ABSENT, LOST, NONE, UNCERTAIN } from "./store.js";

const RULER = 20, ROW = 30, MARGIN = 8;

export class Timeline {
  constructor(canvas, store) {
    this.canvas = canvas;
    this.store = store;
    this.from = 0;
    this.to = 1; // shares of the clip
    new ResizeObserver(() => this.draw()).observe(canvas);
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.seek(event, true);
    });
    canvas.addEventListener("pointermove", (event) => event.buttons && this.seek(event, false));
    canvas.addEventListener("wheel", (event) => this.zoom(event), { passive: false });
  }

  get span() {
    const total = this.store.project.total;
    return [this.from * total, Math.max(this.from * total + 1, this.to * total)];
  }

  x(frame) {
    const [a, b] = this.span;
    return MARGIN + ((frame - a) / (b - a)) * (this.canvas.clientWidth - 2 * MARGIN);
  }

  frameAt(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const [a, b] = this.span;
    const share = (event.clientX - bounds.left - MARGIN) / (bounds.width - 2 * MARGIN);
    return Math.floor(a + share * (b - a));
  }

  seek(event, pick) {
    if (!this.store.project) return;
    if (pick) {
      const row = Math.floor((event.offsetY - RULER) / ROW);
      const target = this.store.targets[row];
      if (target) this.store.select(target.id);
    }
    this.store.dispatchEvent(new Event("hands-on"));
    this.store.goto(this.frameAt(event));
  }

  zoom(event) {
    if (!this.store.project || (!event.ctrlKey && !event.shiftKey && Math.abs(event.deltaX) < Math.abs(event.deltaY) && this.canvas.parentElement.scrollHeight > this.canvas.parentElement.clientHeight + 1)) return;
    event.preventDefault();
    const bounds = this.canvas.getBoundingClientRect();
    const share = (event.clientX - bounds.left) / bounds.width;
    const here = this.from + share * (this.to - this.from);
    const least = Math.min(1, 20 / this.store.project.total);
    const width = Math.max(least, Math.min(1, (this.to - this.from) * Math.exp(event.deltaY / 300)));
    const pan = (event.deltaX / bounds.width) * width;
    this.from = Math.max(0, Math.min(1 - width, here - share * width + pan));
    this.to = this.from + width;
    this.draw();
  }

  draw() {
    if (this.queued) return;
    this.queued = requestAnimationFrame(() => {
      this.queued = 0;
      this.paint();
    });
  }

  paint() {
    const { canvas, store } = this;
    if (!store.project || !canvas.clientWidth) return;
    const height = RULER + Math.max(1, store.targets.length) * ROW + 4;
    canvas.style.height = `${height}px`;
    const ratio = fit(canvas, canvas.clientWidth, height);
    const context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, height);
    this.paintRuler(context, height);
    store.targets.forEach((target, k) => this.paintRow(context, target, RULER + k * ROW));
    const x = this.x(store.frame + 0.5);
    context.fillStyle = token("ink");
    context.fillRect(x - 0.75, 4, 1.5, height - 8);
    context.beginPath();
    context.roundRect(x - 5, 2, 10, 10, 3);
    context.fill();
    canvas.setAttribute("aria-valuemax", store.project.total - 1);
    canvas.setAttribute("aria-valuenow", store.frame);
  }

  paintRuler(context, height) {
    const [a, b] = this.span;
    const steps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000];
    const room = (this.canvas.clientWidth / 90) | 0 || 1;
    const step = steps.find((each) => (b - a) / each <= room) || 100000;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    for (let frame = Math.ceil(a / step) * step; frame < b; frame += step) {
      const x = this.x(frame);
      context.fillStyle = token("line");
      context.fillRect(x, RULER - 6, 1, height);
      context.fillStyle = token("muted");
      const text = String(frame);
      if (x + context.measureText(text).width + 6 < this.canvas.clientWidth) context.fillText(text, x + 3, 10);
    }
  }

  paintRow(context, target, top) {
    const tracks = this.store.tracks(target.id);
    const [a, b] = this.span;
    const bottom = top + ROW - 5;
    const full = ROW - 9;
    if (target.id === this.store.selected) {
      context.fillStyle = token("field");
      context.beginPath();
      context.roundRect(2, top - 1, this.canvas.clientWidth - 4, ROW - 2, 6);
      context.fill();
    }
    const width = this.canvas.clientWidth - 2 * MARGIN;
    const bad = token("bad"), warn = token("warn"), quiet = token("line");
    context.fillStyle = quiet;
    context.fillRect(MARGIN, bottom, width, 1);
    const color = this.store.color(target);
    const line = `color-mix(in oklab, ${color} 70%, ${token("ink")})`;
    const column = Math.max(1, width / (b - a));
    const per = (b - a) / Math.min(width, b - a); // frames in a column
    for (let k = 0; tracks && k < Math.min(width, b - a); k++) {
      const first = Math.floor(a + k * per);
      const last = Math.min(tracks.state.length, Math.max(first + 1, Math.floor(a + (k + 1) * per)));
      let worst = NONE, low = 2;
      for (let frame = first; frame < last; frame++) {
        const state = tracks.state[frame];
        if (state === NONE) continue;
        worst = Math.max(worst, state);
        if (state !== ABSENT) low = Math.min(low, tracks.score(frame));
      }
      if (worst === NONE) continue;
      const x = Math.round(MARGIN + k * column); // whole pixels: columns neither gap nor overlap
      const wide = Math.round(MARGIN + (k + 1) * column) - x;
      if (worst === ABSENT && low > 1) {
        context.fillStyle = quiet;
        context.fillRect(x, bottom - 3, wide, 3);
        continue;
      }
      const high = Math.max(2, low * full);
      if (worst === LOST) { // a pale block over the whole height: not to be missed
        context.globalAlpha = 0.22;
        context.fillStyle = bad;
        context.fillRect(x, bottom - full, wide, full);
      }
      context.globalAlpha = 0.5;
      context.fillStyle = worst === LOST ? bad : worst === UNCERTAIN ? warn : color;
      context.fillRect(x, bottom - high, wide, high);
      context.globalAlpha = 1;
      context.fillStyle = worst === LOST ? bad : worst === UNCERTAIN ? warn : line;
      context.fillRect(x, bottom - high, wide, 2);
    }
    // Doubts that the bars do not show: what the score does not know of
    for (const [first, last, why] of this.store.doubts.get(target.id) || []) {
      if (why === "lost" || why === "uncertain" || last < a || first >= b) continue;
      const x = Math.max(MARGIN, this.x(first));
      const wide = Math.max(4, Math.min(MARGIN + width, this.x(last + 1)) - x);
      context.globalAlpha = 0.16;
      context.fillStyle = warn;
      context.fillRect(x, bottom - full, wide, full);
      context.globalAlpha = 1;
      context.fillRect(x, bottom - full - 3, wide, 3);
    }
    for (const [frame, box] of target.keys) {
      const x = this.x(frame + 0.5);
      if (x < 0 || x > this.canvas.clientWidth) continue;
      context.save();
      context.translate(x, top + ROW / 2 - 3);
      context.rotate(Math.PI / 4);
      context.fillStyle = box ? token("ink") : token("panel");
      context.strokeStyle = box ? token("panel") : token("ink");
      context.lineWidth = 1.5;
      context.fillRect(-4.5, -4.5, 9, 9);
      context.strokeRect(-4.5, -4.5, 9, 9);
      context.restore();
    }
  }
}
