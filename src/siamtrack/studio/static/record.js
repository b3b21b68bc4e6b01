// Recording what a camera shows, boxes and all, to a file that the browser saves.
import { h } from "./dom.js";

const KINDS = [["video/mp4;codecs=avc1.42E01E", "mp4"], ["video/webm;codecs=vp9", "webm"], ["video/webm;codecs=vp8", "webm"], ["video/webm", "webm"]];
const BITS = 6e6; // a second

export class Recorder {
  going = false;

  // Begin with pictures of this size.
  start(width, height) {
    const kind = typeof MediaRecorder === "undefined" ? null : KINDS.find(([type]) => MediaRecorder.isTypeSupported(type));
    if (!kind) throw new Error("This browser cannot record: use a current Chrome, Edge, Firefox or Safari.");
    this.canvas = h("canvas", { width, height });
    this.stream = this.canvas.captureStream();
    this.parts = [];
    this.suffix = kind[1];
    this.media = new MediaRecorder(this.stream, { mimeType: kind[0], videoBitsPerSecond: BITS });
    this.media.ondataavailable = (event) => event.data.size && this.parts.push(event.data);
    this.media.start(1000);
    this.going = true;
  }

  // Add a picture: `paint` is given the context to draw it in.
  frame(paint) {
    if (this.going) paint(this.canvas.getContext("2d"));
  }

  // End, save the file, and return its name.
  async save() {
    this.going = false;
    const ended = new Promise((resolve) => this.media.addEventListener("stop", resolve));
    this.media.stop();
    await ended;
    this.stream.getTracks().forEach((track) => track.stop());
    const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const name = `siamtrack-camera-${time}.${this.suffix}`;
    const address = URL.createObjectURL(new Blob(this.parts, { type: this.media.mimeType }));
    h("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    return name;
  }
}
