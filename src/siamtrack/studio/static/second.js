// What stands in the second half while there is nothing to compare: what is missing, and how to get it.
import { $, h } from "./dom.js";

export class Second {
  constructor(store, models) {
    this.store = store;
    this.models = models;
    this.box = $("second-ask");
    this.words = h("p", {});
    this.button = h("button", { className: "primary", id: "track-second", onclick: () => this.track() });
    this.box.append(this.words, this.button);
  }

  update() {
    const { store } = this;
    if (!store.project || !store.comparing) return;
    const [words, button] = this.missing();
    this.box.hidden = !words;
    this.words.textContent = words;
    this.button.hidden = !button;
    this.button.textContent = button;
  }

  missing() {
    const { store } = this;
    const { model, modelB } = store;
    const busy = store.job.state === "running" || store.job.state === "paused";
    if (this.models().length < 2) return [`Only ${model} is here. Start the studio with a second model to compare the two: siamtrack studio CLIP --model ${model} --model OTHER`, ""];
    if (model === modelB) return ["Both halves show one model: choose another under Against.", ""];
    if (!store.targets.length || store.tables.get(modelB)?.tracked || (busy && store.job.model === modelB)) return ["", ""];
    return [`${modelB} has not tracked this clip yet.`, busy ? "" : `Track with ${modelB}`];
  }

  // From the first key frame on, both ways: as much as the first model can have.
  track() {
    const { store } = this;
    const first = Math.min(...store.targets.flatMap((target) => target.keys.map(([frame]) => frame)));
    store.track("both", store.modelB, first);
  }
}
