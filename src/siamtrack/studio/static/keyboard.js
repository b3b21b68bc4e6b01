// Everything by keyboard. The list in the dialog is made from the same table.
import { $, h } from "./dom.js";

export function shortcuts(actions) {
  return [
    ["Playing"],
    ["Space", "Play or pause", " ", actions.play],
    ["← →", "A frame back or on; with Shift ten", null],
    ["Home End", "First or last frame", null],
    [", .", "Key frame before or after", null],
    ["L", "Next doubtful stretch", "l", actions.doubt],
    ["Drawing"],
    ["Drag", "Correct the selected target: its new box is a key frame", null],
    ["N", "New target: drag its box, or place it with the arrows and Enter", "n", actions.draw],
    ["E", "Change the box of the selected target", "e", actions.change],
    ["K", "The box is right: keep it as a key frame", "k", actions.confirm],
    ["Arrows", "Move the box; with Shift by ten pixels", null],
    ["Ctrl + arrows", "Width and height of the box", null],
    ["+ −", "Grow or shrink the box", null],
    ["Enter Esc", "Keep or drop the box", null],
    ["1 … 9", "Class of the target", null],
    ["⇧ 1 … 9", "Select a target; a click does as well", null],
    ["A", "Absent from here on", "a", actions.absent],
    ["Delete", "Remove the key frame", "Delete", actions.unkey],
    ["Ctrl Z", "Undo; with Shift redo", null],
    ["Tracking"],
    ["F", "Track forwards", "f", actions.forward],
    ["B", "Track backwards", "b", actions.backward],
    ["G", "Track both ways", "g", actions.both],
    ["P", "Pause or continue", "p", actions.pause],
    ["S", "Stop", "s", actions.stop],
    ["V", "Check backwards", "v", actions.check],
    ["The page"],
    ["C", "Compare two models", "c", actions.compare],
    ["O", "Outlines of the targets", "o", actions.outlines],
    ["T", "What the network sees", "t", actions.look],
    ["X", "Export", "x", actions.export],
    ["0", "Whole picture; the wheel zooms, Alt draws inside another box", "0", actions.fit],
    ["?", "This list", "?", actions.help],
  ];
}

export function showHelp(table) {
  const dialog = $("help-dialog");
  const parts = [];
  for (const [keys, words] of table) {
    if (!words) parts.push(h("section", {}, h("h3", {}, keys), h("dl", { className: "keys" })));
    else parts.at(-1).lastChild.append(h("dt", {}, ...caps(keys)), h("dd", {}, words));
  }
  dialog.replaceChildren(
    h("h2", { id: "help-title", tabIndex: -1, autofocus: true }, "Keyboard"),
    h("div", { className: "key-parts" }, ...parts),
    h("div", { className: "dialog-foot" }, h("button", { onclick: () => dialog.close() }, "Close")),
  );
  dialog.showModal();
}

const caps = (keys) =>
  keys === "Drag" ? ["Drag"] : keys.split(" ").flatMap((key) =>
    /^[…+]$/.test(key) && keys !== "+ −" ? [` ${key} `] : [h("kbd", {}, key), " "]);

export function listen(table, store, stage, actions) {
  const simple = new Map(table.filter((row) => row[3]).map((row) => [row[2], row[3]]));
  window.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]):not([type=color]), select, dialog[open]");
    if (typing || !store.project) return;
    const done = handle(event);
    if (done) event.preventDefault();
  });

  function handle(event) {
    const { key } = event;
    const control = event.ctrlKey || event.metaKey;
    if (stage.adding && !stage.draft) {
      if (key === "Escape") return stage.cancel(), true;
      if (key === "Enter" && event.target === stage.canvas) return stage.beginDraft(null), true;
      if (key.startsWith("Arrow") || key === "+" || key === "=" || key === "-") stage.beginDraft(null);
    }
    if (stage.draft) {
      if (key.startsWith("Arrow")) return stage.nudge(event), true;
      if (key === "+" || key === "=") return stage.scaleDraft(1.05), true;
      if (key === "-") return stage.scaleDraft(1 / 1.05), true;
      if (key === "Enter") return stage.commit(), true;
      if (key === "Escape") return stage.cancel(), true;
    }
    if (control) {
      const low = key.toLowerCase();
      if (low === "z") return (event.shiftKey ? actions.redo : actions.undo)(), true;
      if (low === "y") return actions.redo(), true;
      return false;
    }
    if (event.altKey) return false;
    if (key === "ArrowLeft" || key === "ArrowRight") {
      const step = (event.shiftKey ? 10 : 1) * (key === "ArrowLeft" ? -1 : 1);
      return actions.step(step), true;
    }
    if (key === "Home") return actions.goto(0), true;
    if (key === "End") return actions.goto(store.project.total - 1), true;
    if (key === "," || key === ".") return actions.key(key === "," ? -1 : 1), true;
    if (key === "Escape") return store.select(null), true;
    const digit = event.code?.match(/^(?:Digit|Numpad)([1-9])$/)?.[1];
    if (digit && event.shiftKey) {
      if (store.targets[digit - 1]) store.select(store.targets[digit - 1].id);
      return true;
    }
    if (/^[1-9]$/.test(key)) return actions.classify(key - 1), true;
    if ((key === " " || key === "Enter") && event.target.closest("button, a, summary, input")) return false;
    if (key === "Backspace") return actions.unkey(), true;
    const action = simple.get(key) || (key.length === 1 && simple.get(key.toLowerCase()));
    if (!action) return false;
    action();
    return true;
  }
}
