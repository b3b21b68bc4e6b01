// Tracking live: this browser's camera, or one of the server's.
import { socketAddress } from "./api.js";
import { $, announce, fit, h, icon, toast } from "./dom.js";
import { between, clamp, drag, grow } from "./geometry.js";
import { paintBox } from "./paint.js";
import { Recorder } from "./record.js";

const COLORS = ["#33d17a", "#ff8a3d", "#8f7bff", "#ffd23d", "#3dc8ff", "#ff5d8f"];
const colorOf = (id) => COLORS[id % COLORS.length];

export class Camera {
  constructor() {
    this.view = $("camera-view");
  }

  show(models, cameras) {
    this.canvas = h("canvas", { id: "camera-stage", tabIndex: 0, role: "application", "aria-label": "Camera picture. Drag to draw a box, or press N and move it with the arrow keys." });
    this.model = h("select", { "aria-label": "Model" }, ...models.map((name) => h("option", {}, name)));
    this.source = h("select", { "aria-label": "Camera" },
      h("option", { value: "" }, "This browser's camera"),
      ...cameras.map((name, k) => h("option", { value: k }, name)));
    this.rate = h("span", { className: "muted", id: "rate", role: "status" });
    this.stall = h("p", { className: "hint", id: "stall", role: "status", hidden: true });
    this.hint = h("p", { className: "hint", id: "camera-hint" });
    this.list = h("ul", { id: "camera-targets" });
    this.clear = h("button", { id: "clear", onclick: () => this.send({ clear: true }) }, "Clear all boxes");
    this.startButton = h("button", { className: "primary", onclick: () => this.start() }, "Start");
    this.stopButton = h("button", { onclick: () => this.stop() }, "Stop");
    this.record = h("button", { id: "record", onclick: () => this.recordOrSave() }, "Record");
    this.recorder = new Recorder();
    this.view.replaceChildren(
      h("div", { className: "camera-bar" }, this.source, this.model, this.startButton, this.stopButton, this.record, this.rate),
      h("div", { className: "camera-main" },
        h("div", { className: "camera-stage" }, this.canvas, this.hint, this.stall),
        h("aside", { className: "camera-side" }, h("div", { className: "row" }, h("h2", {}, "Targets"), this.clear), this.list,
          h("p", { className: "empty", id: "no-camera-targets" }, "None yet: drag a box in the picture."))));
    this.listen();
    this.tracks = [];
    this.picture = null;
    this.rows = new Map();
    new ResizeObserver(() => this.paint()).observe(this.canvas);
    this.showState();
  }

  // Buttons that can do something, and what to do next.
  showState() {
    if (!this.view.firstChild) return;
    const going = Boolean(this.socket);
    this.startButton.disabled = going;
    this.stopButton.disabled = !going;
    this.record.disabled = !this.picture && !this.recorder.going;
    this.record.textContent = this.recorder.going ? "Save the recording" : "Record";
    this.record.classList.toggle("danger", this.recorder.going);
    this.clear.disabled = !this.tracks.length;
    $("no-camera-targets").hidden = this.tracks.length > 0;
    this.hint.classList.toggle("rest", !going);
    this.hint.textContent = !going ? "Press Start to see the camera" : !this.picture ? "Waiting for the camera …"
      : this.tracks.length ? "" : "Drag a box around what to follow, or press N";
  }

  async recordOrSave() {
    try {
      if (this.recorder.going) toast(`${await this.recorder.save()} is saved.`);
      else {
        this.recorder.start(...this.size);
        this.keep();
      }
    } catch (error) {
      toast(error.message);
    }
    this.showState();
  }

  // A row for each target: its number, its state and score, and a way to remove it.
  showTargets() {
    const ids = new Set(this.tracks.map((track) => track.id));
    for (const [id, row] of this.rows) {
      if (ids.has(id)) continue;
      row.item.remove();
      this.rows.delete(id);
    }
    for (const track of this.tracks) {
      let row = this.rows.get(track.id);
      if (!row) {
        const swatch = h("span", { className: "swatch" });
        swatch.style.background = colorOf(track.id);
        const state = h("span", { className: "state" });
        const remove = h("button", {
          className: "quiet", title: "Remove this target", "aria-label": `Remove target ${track.id + 1}`,
          onclick: () => this.send({ remove: track.id }),
        }, icon("cross"));
        row = { item: h("li", {}, swatch, h("span", {}, `Target ${track.id + 1}`), state, remove), state };
        row.item.dataset.target = track.id;
        this.rows.set(track.id, row);
        this.list.append(row.item);
      }
      row.state.className = `state ${track.state}`;
      row.state.textContent = `${track.state} ${track.score.toFixed(2)}`;
    }
  }

  async start() {
    this.stop();
    const source = this.source.value === "" ? null : Number(this.source.value);
    try {
      if (source === null) await this.openCamera();
    } catch (error) {
      return toast(window.isSecureContext ? `The camera cannot be used: ${error.message}`
        : "Browsers give the camera only to pages of this machine or with https: use the server's.");
    }
    const socket = new WebSocket(socketAddress("/api/camera"));
    this.rate.textContent = "";
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.count = 0;
    this.since = performance.now();
    socket.onopen = () => {
      socket.send(JSON.stringify({ model: this.model.value, source, paced: true }));
      if (source === null) this.sendPicture();
    };
    socket.onmessage = (event) => this.hear(event.data, source);
    socket.onclose = () => this.socket === socket && this.stop();
    this.showState();
  }

  async openCamera() {
    this.stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } } });
    this.video = h("video", { muted: true, playsInline: true });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.buffer = document.createElement("canvas");
  }

  // One picture is under way at a time: the next goes out when its answer has come.
  sendPicture() {
    if (!this.video || this.socket?.readyState !== WebSocket.OPEN) return;
    this.buffer.width = this.video.videoWidth;
    this.buffer.height = this.video.videoHeight;
    this.buffer.getContext("2d").drawImage(this.video, 0, 0);
    this.buffer.toBlob((blob) => {
      if (blob && this.socket?.readyState === WebSocket.OPEN) this.socket.send(blob);
    }, "image/jpeg", 0.85);
  }

  async hear(data, source) {
    if (data instanceof ArrayBuffer) {
      this.next = createImageBitmap(new Blob([data], { type: "image/jpeg" }));
      return;
    }
    const message = JSON.parse(data);
    if (message.error) toast(message.error);
    this.stall.hidden = message.stalled === undefined;
    if (message.stalled !== undefined) {
      this.stall.textContent = `The camera has sent nothing for ${Math.round(message.stalled)} s; waiting …`;
    }
    if (!message.tracks) return;
    this.tracks = message.tracks;
    this.size = message.size;
    if (source === null) {
      this.picture?.close();
      this.picture = await createImageBitmap(this.buffer);
      this.sendPicture();
    } else if (this.next) {
      const next = await this.next;
      if (!this.socket) return next.close();
      this.picture?.close();
      this.picture = next;
    }
    this.count += 1;
    const seconds = (performance.now() - this.since) / 1000;
    if (seconds > 1) {
      this.rate.textContent = `${(this.count / seconds).toFixed(0)} frames per second`;
      this.count = 0;
      this.since = performance.now();
    }
    this.showTargets();
    this.showState();
    this.paint();
    if (this.recorder.going) this.keep();
    if (source !== null) requestAnimationFrame(() => this.send({ next: true })); // when this one is seen
  }

  // Put the picture, with its boxes, into the recording.
  keep() {
    if (!this.picture || !this.size) return;
    const [width, height] = this.size;
    this.recorder.frame((context) => {
      context.drawImage(this.picture, 0, 0, width, height);
      this.paintTracks(context, { scale: 1, left: 0, top: 0 });
    });
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  stop() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = this.video = null;
    if (!this.stall) return;
    this.stall.hidden = true;
    if (this.recorder.going) this.recordOrSave();
    this.tracks = [];
    this.picture?.close();
    this.picture = null;
    this.rate.textContent = "";
    this.showTargets();
    this.showState();
    this.paint();
  }

  frame() {
    const [width, height] = this.size || [16, 9];
    const { clientWidth: w, clientHeight: hgt } = this.canvas;
    const scale = Math.min(w / width, hgt / height);
    return { scale, left: (w - width * scale) / 2, top: (hgt - height * scale) / 2, width, height };
  }

  listen() {
    const at = (event) => {
      const bounds = this.canvas.getBoundingClientRect();
      const { scale, left, top } = this.frame();
      return [(event.clientX - bounds.left - left) / scale, (event.clientY - bounds.top - top) / scale];
    };
    this.canvas.addEventListener("pointerdown", (event) => {
      this.canvas.setPointerCapture(event.pointerId);
      this.from = at(event);
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.from) return;
      const { width, height } = this.frame();
      this.draft = clamp(between(this.from, at(event)), width, height);
      this.paint();
    });
    this.canvas.addEventListener("pointerup", () => {
      if (this.draft && this.draft[2] > 4 && this.draft[3] > 4) this.send({ box: this.draft });
      this.from = this.draft = null;
    });
    this.canvas.addEventListener("keydown", (event) => this.key(event) && event.preventDefault());
    this.canvas.addEventListener("pointercancel", () => (this.from = this.draft = null));
  }

  // As on the stage: N begins a box, arrows move it, with Ctrl size it, Enter keeps, Escape drops.
  key(event) {
    const { key } = event;
    const [width, height] = this.size || [0, 0];
    if (!width || this.from) return false;
    if (key === "n" || key === "N") {
      const side = Math.min(width, height) / 4;
      this.draft = [(width - side) / 2, (height - side) / 2, side, side];
    } else if (!this.draft) return false;
    else if (key.startsWith("Arrow")) {
      const step = event.shiftKey ? 10 : 1;
      const [dx, dy] = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
      this.draft = clamp(drag(this.draft, event.ctrlKey || event.metaKey ? "se" : "", dx, dy), width, height);
    } else if (key === "+" || key === "=" || key === "-") {
      this.draft = clamp(grow(this.draft, key === "-" ? 1 / 1.05 : 1.05), width, height);
    } else if (key === "Enter" || key === "Escape") {
      if (key === "Enter") this.send({ box: this.draft });
      this.draft = null;
    } else return false;
    announce(this.draft ? `Box ${this.draft.map(Math.round).join(", ")}` : "");
    this.paint();
    return true;
  }

  paint() {
    const { canvas } = this;
    const ratio = fit(canvas, canvas.clientWidth, canvas.clientHeight);
    const context = canvas.getContext("2d");
    const { scale, left, top, width, height } = this.frame();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    if (this.picture) context.drawImage(this.picture, left, top, width * scale, height * scale);
    if (!this.picture) return;
    this.paintTracks(context, { scale, left, top });
    if (this.draft) paintBox(context, this.draft, "#ffffff", { scale, left, top }, { selected: true, label: "New target" });
  }

  paintTracks(context, view) {
    for (const { id, box, state, score } of this.tracks) {
      const words = state === "tracked" ? score.toFixed(2) : state;
      paintBox(context, box, colorOf(id), view, {
        bold: true, dashed: state !== "tracked", faint: state === "lost", label: `Target ${id + 1} · ${words}`,
      });
    }
  }
}
