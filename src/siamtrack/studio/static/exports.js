// Taking the result home.
import { $, h } from "./dom.js";

const FORMATS = [
  ["csv", "CSV", "A line for each target and frame; opens in spreadsheets"],
  ["json", "JSON", "Everything: targets, key frames, boxes, scores"],
  ["mp4", "Video", "The clip with boxes drawn in; takes a while"],
  ["coco", "COCO video", "COCO JSON with videos and tracks"],
  ["cvat", "CVAT XML", "CVAT for video 1.1, to go on annotating there"],
  ["yolo", "YOLO", "Labels as a zip; each name is a class"],
  ["mot", "MOT", "MOTChallenge text"],
  ["jsonl", "JSON Lines", "One object for each target and frame"],
];

export function showExports(store) {
  const dialog = $("export-dialog");
  const model = encodeURIComponent(store.model);
  const links = FORMATS.map(([format, name, words]) =>
    h("a", {
      href: `${store.path}/export/${format}?model=${model}`, download: "",
      onclick: () => setTimeout(() => dialog.close(), 300),
    }, h("b", {}, name), h("span", { className: "muted" }, words)));
  const empty = !store.targets.length;
  dialog.replaceChildren(
    h("h2", { id: "export-title", tabIndex: -1, autofocus: true }, "Export"),
    empty ? h("p", { className: "muted" }, "There is nothing to export yet: draw a box first.")
      : h("div", { className: "formats" }, ...links),
    h("div", { className: "dialog-foot" }, h("button", { onclick: () => dialog.close() }, "Close")),
  );
  dialog.showModal();
}
