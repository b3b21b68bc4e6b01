// Playing: the clock says which frame is due; a frame that has not come yet is waited for.

export class Player {
  constructor(store, frames) {
    this.store = store;
    this.frames = frames;
    this.playing = false;
    store.addEventListener("hands-on", () => this.pause());
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  play() {
    const { store } = this;
    if (!store.project || this.playing) return;
    if (store.frame >= store.project.total - 1) store.goto(0);
    this.playing = true;
    this.started = performance.now();
    this.origin = store.frame;
    store.changed("playing");
    const tick = () => {
      if (!this.playing || !store.project) return;
      this.step();
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  }

  step() {
    const { store } = this;
    const last = store.project.total - 1;
    const due = Math.min(last, this.origin + Math.floor(((performance.now() - this.started) * store.project.fps) / 1000));
    let next = store.frame;
    for (let frame = due; frame > store.frame; frame--) {
      if (this.frames.get(frame)) {
        next = frame;
        break;
      }
    }
    if (due - next > 5) { // the server does not keep up: slow down rather than skip
      this.origin = next;
      this.started = performance.now();
    }
    if (next !== store.frame) store.goto(next);
    if (next >= last) this.pause();
  }

  pause() {
    if (!this.playing) return;
    this.playing = false;
    this.store.changed("playing");
  }
}
