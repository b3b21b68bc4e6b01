// The project's classes: their colors, names and number keys, and a field for a new one.
import { $, h, icon, toast } from "./dom.js";

export class ClassList {
  constructor(store) {
    this.store = store;
    this.list = $("classes");
    this.field = $("new-class");
    this.waiting = null; // the target whose list of classes was asked for a new one
    $("class-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.add(this.field.value.trim());
    });
    this.field.addEventListener("keydown", (event) => event.key === "Escape" && this.field.blur());
    this.field.addEventListener("blur", () => setTimeout(() => (this.waiting = null), 300));
    $("by-class").checked = store.byClass;
    $("by-class").addEventListener("change", () => store.setByClass($("by-class").checked));
  }

  // Begin a new class for a target.
  ask(target) {
    this.waiting = target;
    this.field.focus();
  }

  // A new class goes to the target that asked for it, or to the selected one if that has none.
  async add(name) {
    const { store } = this;
    if (!name) return this.field.focus();
    const current = store.current;
    const target = this.waiting ?? (current && !current.class ? current.id : null);
    this.waiting = null;
    this.field.value = "";
    store.nextClass = name;
    if (target !== null) await store.edit({ do: "classify", target, class: name });
    else if (store.classes.some(([each]) => each === name)) toast(`There is a class ${name} already: its number key gives it.`);
    else await store.edit({ do: "class", name });
  }

  build() {
    const { store } = this;
    const counts = new Map();
    for (const target of store.targets) counts.set(target.class, (counts.get(target.class) || 0) + 1);
    if (this.list.contains(document.activeElement) && document.activeElement.type === "text") return;
    this.list.replaceChildren(...store.classes.map(([name, color], k) => this.row(name, color, k, counts.get(name) || 0)));
    $("by-class-row").hidden = !store.classes.length;
  }

  row(name, color, k, count) {
    const { store } = this;
    const field = h("input", {
      type: "text", value: name, maxLength: 80, "aria-label": `Class ${name}`,
      onchange: async () => {
        const made = field.value.trim();
        field.blur();
        await store.edit({ do: "class", class: name, name: made || name });
        this.build(); // what could not be is undone in the field
      },
      onkeydown: (event) => (event.key === "Enter" || event.key === "Escape") && field.blur(),
    });
    const paint = h("input", {
      type: "color", value: color, "aria-label": `Color of ${name}`,
      onchange: () => store.edit({ do: "class", class: name, color: paint.value }),
    });
    const remove = h("button", {
      className: "quiet", title: "Remove this class", "aria-label": `Remove class ${name}`,
      onclick: () => store.edit({ do: "unclass", class: name }),
    }, icon("cross"));
    const number = k < 9 ? h("kbd", { title: `Press ${k + 1} to give the selected target this class` }, String(k + 1)) : h("span", {});
    const item = h("li", {}, paint, field, h("span", { className: "state" }, count === 1 ? "1 target" : `${count} targets`), number, remove);
    item.dataset.class = name;
    return item;
  }
}
