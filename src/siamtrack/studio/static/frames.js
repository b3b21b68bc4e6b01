// Pictures of frames by number: fetched, decoded, kept for a while.

const KEEP = 48; // decoded pictures
const LANES = 3; // requests at a time
const WIDTHS = [320, 640, 960, 1280, 1920];

export class Frames {
  constructor(onPicture) {
    this.onPicture = onPicture;
    this.cache = new Map();
    this.flying = new Map();
    this.wanted = [];
    this.width = 1280;
  }

  reset(path) {
    this.path = path;
    for (const abort of this.flying.values()) abort.abort();
    for (const picture of this.cache.values()) picture.close();
    this.cache.clear();
    this.flying.clear();
    this.wanted = [];
  }

  // The width at which pictures are shown; larger ones are fetched anew as they are asked for.
  show(width) {
    const next = WIDTHS.find((each) => each >= width) || 1920;
    if (next > this.width) this.cache.clear();
    this.width = next;
  }

  get(frame) {
    const picture = this.cache.get(frame);
    if (picture) {
      this.cache.delete(frame);
      this.cache.set(frame, picture);
    }
    return picture || null;
  }

  // Ask for frames, the most urgent first. What was asked before and has not begun is forgotten.
  ask(frames) {
    this.wanted = frames.filter((frame) => !this.cache.has(frame) && !this.flying.has(frame));
    const needed = new Set(frames);
    for (const [frame, abort] of this.flying) {
      if (!needed.has(frame) && this.flying.size >= LANES) abort.abort();
    }
    this.pump();
  }

  pump() {
    while (this.wanted.length && this.flying.size < LANES) this.load(this.wanted.shift());
  }

  async load(frame) {
    const abort = new AbortController();
    const path = this.path;
    this.flying.set(frame, abort);
    try {
      const url = `${path}/frames/${frame}?w=${this.width}`;
      const response = await fetch(url, { signal: abort.signal });
      if (!response.ok) throw new Error((await response.json()).error);
      const picture = await createImageBitmap(await response.blob());
      if (path !== this.path) return picture.close();
      this.cache.set(frame, picture);
      while (this.cache.size > KEEP) {
        const [oldest, old] = this.cache.entries().next().value;
        this.cache.delete(oldest);
        old.close();
      }
      this.onPicture(frame, null);
    } catch (error) {
      if (error.name !== "AbortError") this.onPicture(frame, error);
    } finally {
      if (this.flying.get(frame) === abort) this.flying.delete(frame);
      this.pump();
    }
  }
}
