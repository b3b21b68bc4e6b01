// Exports. One lives as long as its socket: closing it cancels, and so does leaving the page.
import { socketAddress } from "./api.js";
import { $, announce, h, toast } from "./dom.js";

const FORMATS = [
  ["Continue annotating", [
    ["cvat", "CVAT", ".xml", "CVAT for video 1.1: tracks to correct in CVAT"],
    ["coco", "COCO", ".json", "Videos, tracks and categories for Label Studio and many tools"],
    ["cvat-masks", "CVAT masks", ".xml", "CVAT for images 1.1: masks, pixel for pixel, to correct in CVAT"],
  ]],
  ["Train a detector", [
    ["yolo", "YOLO", ".zip", "Images and labels, split into train and val"],
    ["yolo-seg", "YOLO segment", ".zip", "Images and outlines"],
    ["yolo-obb", "YOLO OBB", ".zip", "Images and rotated boxes"],
  ]],
  ["Count and evaluate", [
    ["csv", "CSV", ".csv", "A line for each target and frame, for spreadsheets"],
    ["mot", "MOT", ".txt", "MOTChallenge text for tracking metrics; a zip if there are classes"],
    ["jsonl", "JSON Lines", ".jsonl", "An object for each target and frame, for scripts"],
    ["davis", "DAVIS", ".zip", "Masks: a PNG for each frame, with the number of each target"],
    ["vot", "VOT", ".txt", "Masks as run lengths; a zip if there are several targets"],
    ["vot-rotated", "VOT rotated", ".txt", "Rotated boxes; a zip if there are several targets"],
  ]],
  ["Keep or show", [
    ["json", "Project", ".json", "All of it: targets, classes, key frames, boxes, scores"],
    ["mp4", "Video", ".mp4", "The clip with the boxes drawn in"],
  ]],
];

export class Exports {
  constructor(store, outlines) {
    this.store = store;
    this.outlines = outlines;
    this.masks = null; // null until somebody chooses: then as the picture shows them
    this.dialog = $("export-dialog");
    this.thin = true;
    this.pixels = 1;
    this.going = null; // {socket, name, done, total}
    this.bar = h("progress", { max: 1, "aria-label": "Export" });
    this.words = h("p", { className: "muted", id: "export-words" });
  }

  show() {
    this.fill();
    if (!this.dialog.open) this.dialog.showModal();
  }

  fill() {
    const { dialog, going } = this;
    const empty = !this.store.targets.length;
    const body = going ? h("div", { className: "going" }, this.bar, this.words)
      : empty ? h("p", { className: "muted" }, "There is nothing to export yet: draw a box first.")
        : h("div", {}, this.masking(), h("div", { className: "formats" }, ...FORMATS.map(([purpose, formats]) => h("section", {},
          h("h3", {}, purpose),
          ...formats.flatMap(([format, name, suffix, words]) => [
            h("button", { id: `export-${format}`, onclick: () => this.start(format, name) },
              h("span", { className: "format" }, h("b", {}, name), h("span", { className: "muted" }, suffix)),
              h("span", { className: "muted" }, words)),
            ...(format === "cvat" ? [this.thinning()] : []),
          ])))));
    const foot = going ? [
      h("button", { id: "export-cancel", onclick: () => this.cancel() }, "Cancel"),
      h("button", { onclick: () => dialog.close() }, "Continue working"),
    ] : [h("button", { onclick: () => dialog.close() }, "Close")];
    dialog.replaceChildren(
      h("h2", { id: "export-title", tabIndex: -1, autofocus: true }, going ? `Export: ${going.name}` : "Export"),
      body, h("div", { className: "dialog-foot" }, ...foot));
    this.tell();
  }

  // Formats that hold boxes as well as masks have masks only where that is chosen.
  masking() {
    const choices = [["", "boxes"], ["polygons", "outlines"], ["rle", "outlines, in COCO pixel for pixel"]];
    const select = h("select", { id: "export-masks", onchange: () => this.choose(select.value) },
      ...choices.map(([value, words]) => h("option", { value, selected: value === this.chosen }, words)));
    return h("label", { className: "check masking" }, "CVAT, COCO, JSON Lines and video with", select);
  }

  get chosen() {
    return this.masks ?? (this.outlines.on ? "polygons" : "");
  }

  choose(masks) {
    this.masks = masks;
    this.fill();
    $("export-masks").focus();
  }

  // Few key frames can be moved by hand in CVAT; it interpolates in between. Outlines are in all frames.
  thinning() {
    const check = h("input", { type: "checkbox", id: "thin", checked: this.thin && !this.chosen, disabled: !!this.chosen, onchange: () => (this.thin = check.checked) });
    const pixels = h("input", {
      type: "number", id: "thin-pixels", min: 0, max: 100, step: 0.5, value: this.pixels, "aria-label": "Pixels",
      onchange: () => (this.pixels = Math.max(0, Number(pixels.value) || 0)),
    });
    return h("p", { className: "check" }, check,
      h("label", { htmlFor: "thin" }, "Few key frames, within"), pixels, "px");
  }

  start(format, name) {
    const { store } = this;
    const path = `${store.path}/exports`;
    const socket = new WebSocket(socketAddress(path));
    this.going = { socket, name, done: 0, total: 0 };
    const order = { format, model: store.model };
    if (["cvat", "coco", "jsonl", "mp4"].includes(format)) order.masks = this.chosen || null;
    if (format === "cvat") order.keyframes = this.thin ? this.pixels : null;
    if (format === "mp4") order.by_class = store.byClass;
    socket.onopen = () => socket.send(JSON.stringify(order));
    socket.onmessage = (event) => this.going?.socket === socket && this.hear(JSON.parse(event.data), path);
    socket.onclose = () => this.going?.socket === socket && this.end("The export broke off: the server is away.");
    this.fill();
  }

  hear(message, path) {
    const { going } = this;
    Object.assign(going, { done: message.done || 0, total: message.total || 0 });
    if (message.state === "ready" && !going.fetched) {
      going.fetched = true;
      h("a", { href: `${path}/${message.id}`, download: "" }).click();
    }
    if (message.state === "sent") this.end(`${going.name} is saved.`);
    else if (message.state === "failed") this.end(message.error);
    else this.tell();
  }

  tell() {
    const { going } = this;
    const share = going?.total ? going.done / going.total : 0;
    $("export").textContent = going ? `Export ${Math.round(100 * share)} %` : "Export";
    if (!going) return;
    if (going.total) this.bar.value = share;
    else this.bar.removeAttribute("value");
    this.words.textContent = going.total ? `${going.done} of ${going.total} frames` : "Starting …";
  }

  cancel() {
    this.end("Canceled: nothing was kept.");
  }

  // Close what is going on; `words` say why, if there is somebody to tell.
  end(words = "") {
    const { going } = this;
    if (!going) return;
    this.going = null;
    going.socket.close();
    this.tell();
    if (this.dialog.open) this.dialog.close();
    if (!words) return;
    announce(words);
    toast(words);
  }
}
