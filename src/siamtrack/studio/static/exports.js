// Taking the result home. An export lives as long as its socket: closing it cancels, and so does
// leaving the page.
import { socketAddress } from "./api.js";
import { $, announce, h, toast } from "./dom.js";

const FORMATS = [
  ["csv", "CSV", "A line for each target and frame; opens in spreadsheets"],
  ["json", "JSON", "Everything: targets, key frames, boxes, scores"],
  ["mp4", "Video", "The clip with boxes drawn in"],
  ["yolo", "YOLO", "A data set: pictures and labels, to train and to validate"],
  ["coco", "COCO video", "COCO JSON with videos and tracks"],
  ["cvat", "CVAT XML", "CVAT for video 1.1, to go on annotating there"],
  ["mot", "MOT", "MOTChallenge text"],
  ["jsonl", "JSON Lines", "One object for each target and frame"],
];

export class Exports {
  constructor(store) {
    this.store = store;
    this.dialog = $("export-dialog");
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
        : h("div", { className: "formats" }, ...FORMATS.map(([format, name, words]) =>
          h("button", { id: `export-${format}`, onclick: () => this.start(format, name) },
            h("b", {}, name), h("span", { className: "muted" }, words))));
    const foot = going ? [
      h("button", { id: "export-cancel", onclick: () => this.cancel() }, "Cancel"),
      h("button", { onclick: () => dialog.close() }, "Go on working"),
    ] : [h("button", { onclick: () => dialog.close() }, "Close")];
    dialog.replaceChildren(
      h("h2", { id: "export-title", tabIndex: -1, autofocus: true }, going ? `Export: ${going.name}` : "Export"),
      body, h("div", { className: "dialog-foot" }, ...foot));
    this.tell();
  }

  start(format, name) {
    const { store } = this;
    const path = `${store.path}/exports`;
    const socket = new WebSocket(socketAddress(path));
    this.going = { socket, name, done: 0, total: 0 };
    socket.onopen = () => socket.send(JSON.stringify({ format, model: store.model }));
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
    this.end("Cancelled: nothing was kept.");
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
