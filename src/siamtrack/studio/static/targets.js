// The list of targets: names, colors, classes, and how sure the tracker is in this frame.
import { $, h, icon } from "./dom.js";
import { ABSENT, NONE, STATE_NAMES } from "./store.js";

export class TargetList {
  constructor(store, newClass) {
    this.store = store;
    this.newClass = newClass; // called with the target that wants one
    this.list = $("targets");
    this.rows = new Map();
  }

  build() {
    const { store } = this;
    for (const [id, row] of this.rows) {
      if (!store.target(id)) {
        row.item.remove();
        this.rows.delete(id);
      }
    }
    for (const target of store.targets) {
      const row = this.rows.get(target.id) || this.add(target.id);
      if (document.activeElement !== row.name) row.name.value = target.name;
      row.color.value = store.color(target);
      row.color.disabled = store.color(target) !== target.color;
      row.color.title = row.color.disabled ? `The color of the class ${target.class}` : "Color";
      this.fillClasses(row.kind, target);
      this.list.append(row.item);
    }
    $("no-targets").hidden = store.targets.length > 0;
    this.update();
  }

  add(id) {
    const { store } = this;
    const name = h("input", {
      type: "text", maxLength: 80, "aria-label": "Name",
      onchange: () => store.edit({ do: "rename", target: id, name: name.value }),
      onkeydown: (event) => (event.key === "Enter" || event.key === "Escape") && name.blur(),
      onfocus: () => store.select(id),
    });
    const color = h("input", {
      type: "color", "aria-label": "Color",
      onchange: () => store.edit({ do: "rename", target: id, color: color.value }),
    });
    const state = h("span", { className: "state" });
    const remove = h("button", {
      className: "quiet", title: "Remove this target", "aria-label": "Remove",
      onclick: (event) => {
        event.stopPropagation();
        store.edit({ do: "remove", target: id });
      },
    }, icon("cross"));
    const kind = h("select", {
      className: "kind", "aria-label": "Class", onfocus: () => store.select(id),
      onchange: () => this.classify(id, kind),
    });
    const item = h("li", { onclick: () => store.select(id) },
      color, name, kind, state, remove);
    item.dataset.target = id;
    const row = { item, name, color, kind, state };
    this.rows.set(id, row);
    return row;
  }

  fillClasses(kind, target) {
    const names = this.store.classes.map(([name]) => name);
    const options = [h("option", { value: "" }, "No class"), ...names.map((name) => h("option", { value: `=${name}` }, name)),
      h("option", { value: "+" }, "New class …")];
    kind.replaceChildren(...options);
    kind.value = target.class ? `=${target.class}` : "";
    kind.classList.toggle("none", !target.class);
  }

  classify(id, kind) {
    const { store } = this;
    const { value } = kind;
    if (value === "+") {
      this.fillClasses(kind, store.target(id));
      this.newClass(id);
      return;
    }
    store.nextClass = value.slice(1);
    store.edit({ do: "classify", target: id, class: value.slice(1) });
  }

  update() {
    const { store } = this;
    for (const target of store.targets) {
      const row = this.rows.get(target.id);
      if (!row) continue;
      row.item.classList.toggle("selected", target.id === store.selected);
      row.item.setAttribute("aria-current", target.id === store.selected);
      const tracks = store.tracks(target.id);
      const state = tracks ? tracks.state[store.frame] : NONE;
      const key = store.isKey(target, store.frame);
      row.state.className = `state ${key ? "" : STATE_NAMES[state]}`;
      if (state === ABSENT) row.state.textContent = "absent";
      else if (key) row.state.textContent = "key frame";
      else if (state === NONE) row.state.textContent = "–";
      else row.state.textContent = `${STATE_NAMES[state]} ${tracks.score(store.frame).toFixed(2)}`;
    }
    const current = store.current;
    $("here").hidden = !current;
    $("review").hidden = !store.targets.length;
    if (current) {
      const key = store.isKey(current, store.frame);
      $("unkey").hidden = !key;
      $("unkey").disabled = current.keys.length < 2;
      $("confirm").hidden = key;
      $("confirm").disabled = !store.box(current.id, store.frame);
    }
  }
}
