// Outlines of targets: asked for while they are shown, and kept for a while. One belongs to the box
// that it was found in: where the page shows another box by now, it is not drawn, and asked for anew.
import { get } from "./api.js";
import { keep, read } from "./dom.js";

const KEEP = 240; // frames

export class Outlines {
  constructor(store, onFound) {
    this.store = store;
    this.onFound = onFound;
    this.on = read("outlines") === "yes";
    this.cache = new Map(); // "model/frame" -> {asked, found: target -> {box, polygons}}
    this.wanted = [];
    this.flying = false;
  }

  set(on) {
    this.on = on;
    keep("outlines", on ? "yes" : "no");
    this.reset();
  }

  reset() {
    this.cache.clear();
    this.wanted = [];
  }

  // The polygons [x, y, x, y, ...] of a target whose box is shown, or null.
  of(model, frame, id, box) {
    const found = this.on && this.cache.get(`${model}/${frame}`)?.found.get(id);
    return found && found.box.every((side, k) => Math.abs(side - box[k]) < 0.02) ? found.polygons : null;
  }

  // Ask for frames of a model, the most urgent first; what was asked before and has not begun is forgotten.
  ask(models, frames) {
    if (!this.on || !this.store.project) return;
    this.wanted = frames.flatMap((frame) => models.map((model) => [model, frame]));
    this.pump();
  }

  // The boxes that the page knows, as text: frames are asked for again when these have changed.
  known(model, frame) {
    return this.store.targets.map(({ id }) => `${id}:${this.store.box(id, frame, model) || ""}`).join(";");
  }

  async pump() {
    if (this.flying) return;
    this.flying = true;
    while (this.wanted.length && this.store.project) {
      const [model, frame] = this.wanted.shift();
      const asked = this.known(model, frame), key = `${model}/${frame}`;
      if (!/\d,/.test(asked) || this.cache.get(key)?.asked === asked) continue;
      await this.load(key, model, frame, asked);
    }
    this.flying = false;
  }

  async load(key, model, frame, asked) {
    const { path } = this.store;
    let outlines = []; // one that cannot be had is not asked for again and again
    try {
      ({ outlines } = await get(`${path}/outlines/${frame}?model=${encodeURIComponent(model)}`));
    } catch {
      // the picture itself says what is wrong with the frame
    }
    if (!this.store.project || path !== this.store.path) return;
    this.cache.delete(key);
    this.cache.set(key, { asked, found: new Map(outlines.map(([id, box, polygons]) => [id, { box, polygons }])) });
    if (this.cache.size > KEEP) this.cache.delete(this.cache.keys().next().value);
    this.onFound(frame);
  }
}
