// Tracking live: this browser's camera, or one of the server's.
import { socketAddress } from "./api.js";
import { $, announce, fit, h, toast } from "./dom.js";
import { between, clamp, drag, grow } from "./geometry.js";

const COLOURS = ["#33d17a", "#ff8a3d", "#8f7bff", "#ffd23d", "#3dc8ff", "#ff5d8f"];

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
    this.rate = h("span", { className: "muted", role: "status" });
    this.stall = h("p", { className: "hint", id: "stall", role: "status", hidden: true });
    this.view.replaceChildren(
      h("div", { className: "camera-bar" }, this.source, this.model,
        h("button", { className: "primary", onclick: () => this.start() }, "Start"),
        h("button", { onclick: () => this.stop() }, "Stop"),
        h("button", { onclick: () => this.send({ clear: true }) }, "Forget all boxes"), this.rate),
      h("div", { className: "camera-stage" }, this.canvas, this.stall));
    this.listen();
    this.tracks = [];
    this.picture = null;
    this.rate.textContent = "Start, then drag a box around what to follow, or press N.";
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
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.count = 0;
    this.since = performance.now();
    socket.onopen = () => {
      socket.send(JSON.stringify({ model: this.model.value, source }));
      if (source === null) this.sendPicture();
    };
    socket.onmessage = (event) => this.hear(event.data, source);
    socket.onclose = () => this.socket === socket && this.stop();
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
    this.paint();
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
    if (this.stall) this.stall.hidden = true;
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
    const boxes = this.tracks.map((track) => [track.box, COLOURS[track.id % COLOURS.length], track.state === "lost", `${track.id + 1}  ${track.score.toFixed(2)}`]);
    if (this.draft) boxes.push([this.draft, "#ffffff", false, ""]);
    for (const [box, colour, lost, label] of boxes) {
      context.setLineDash(lost ? [6, 5] : []);
      context.strokeStyle = colour;
      context.lineWidth = 2.5;
      context.strokeRect(left + box[0] * scale, top + box[1] * scale, box[2] * scale, box[3] * scale);
      context.fillStyle = colour;
      context.font = "600 13px system-ui, sans-serif";
      context.fillText(lost ? `${label} lost` : label, left + box[0] * scale + 2, top + box[1] * scale - 6);
    }
  }
}
