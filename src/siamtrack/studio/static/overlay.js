// The template and the response of the selected target in this frame, while the part is open.
import { $ } from "./dom.js";

export class Overlay {
  constructor(store) {
    this.store = store;
    this.part = $("look");
    this.part.addEventListener("toggle", () => this.update());
    for (const id of ["look-template", "look-response"]) {
      $(id).addEventListener("error", () => $(id).removeAttribute("src"));
    }
  }

  update() {
    clearTimeout(this.timer);
    if (this.part.open) this.timer = setTimeout(() => this.load(), 120);
  }

  load() {
    const { store } = this;
    const target = store.current || store.targets[0];
    if (!target || !store.project) return;
    const query = `target=${target.id}&model=${encodeURIComponent(store.model)}&r=${store.project.revision}`;
    const path = `${store.path}/look/${store.frame}?${query}`;
    $("look-template").src = `${path}&what=template`;
    $("look-response").src = `${path}&what=response`;
  }
}
