// Where frames come from: a file, frame by frame, or the camera, as they come.
import { frameTimes } from "./times.js";

const PATIENCE = 20_000;

function videoElement(): HTMLVideoElement {
  const video = document.createElement("video");
  Object.assign(video, { muted: true, playsInline: true, preload: "auto" });
  return video;
}

/** A file that the browser can play. Frames count from 0. */
export class Clip {
  frame = 0;

  private constructor(
    readonly title: string,
    readonly video: HTMLVideoElement,
    private readonly times: Float64Array,
  ) {}

  /** @throws Error if the browser cannot decode the file. */
  static async open(file: File): Promise<Clip> {
    const video = videoElement();
    video.src = URL.createObjectURL(file);
    const refused = (why: string): Error =>
      new Error(
        `${file.name} cannot be played by this browser (${why}): convert it to MP4 with H.264, or ` +
          "to WebM, or open it with `siamtrack studio`",
      );
    try {
      await new Promise<void>((resolve, reject) => {
        video.onloadeddata = () => resolve();
        video.onerror = () => reject(refused(video.error?.message || "it is damaged or no video"));
        setTimeout(() => reject(refused("nothing of it was decoded in time")), PATIENCE);
      });
      if (!video.videoWidth) throw refused("it has sound but no pictures");
      if (!Number.isFinite(video.duration)) throw refused("it does not say how long it is");
    } catch (error) {
      URL.revokeObjectURL(video.src);
      throw error;
    }
    video.onerror = null;
    const clip = new Clip(file.name, video, await frameTimes(file, video));
    await clip.seek(0);
    return clip;
  }

  get width(): number {
    return this.video.videoWidth;
  }

  get height(): number {
    return this.video.videoHeight;
  }

  get count(): number {
    return this.times.length - 1;
  }

  time(frame: number): number {
    return this.times[frame];
  }

  /** Show a frame: the middle of its time, so that no rounding shows its neighbor. */
  async seek(frame: number): Promise<void> {
    const { video, times } = this;
    const index = Math.min(Math.max(Math.round(frame), 0), this.count - 1);
    const middle = (times[index] + times[index + 1]) / 2;
    const wanted = Math.min(middle, Math.max(video.duration - 1e-3, 0));
    await new Promise<void>((resolve, reject) => {
      video.onseeked = () => resolve();
      video.onerror = () =>
        reject(
          new Error(
            `${this.title} cannot be decoded at frame ${index} (${video.error?.message || "no " +
              "details"}): what was tracked until there stays`,
          ),
        );
      video.currentTime = wanted;
    });
    this.frame = index;
  }

  close(): void {
    URL.revokeObjectURL(this.video.src);
    this.video.removeAttribute("src");
  }
}

/** The camera: its frames count as they are taken. */
export class Camera {
  readonly title = "camera";
  frame = -1;
  private readonly begun = performance.now();
  private coming: Promise<void> | null = null;

  private constructor(
    readonly video: HTMLVideoElement,
    private readonly stream: MediaStream,
  ) {}

  /** @throws Error if there is no camera, or it may not be used. */
  static async open(): Promise<Camera> {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("this page may use no camera: open it by https, or on localhost");
    }
    let stream: MediaStream;
    try {
      const size = { width: { ideal: 640 }, height: { ideal: 480 } };
      stream = await navigator.mediaDevices.getUserMedia({ video: size, audio: false });
    } catch (error) {
      const name = error instanceof Error ? error.name : "";
      throw new Error(
        name === "NotAllowedError"
          ? "the camera may not be used: allow it for this page in the browser's settings"
          : `the camera gives no pictures (${name || error}): is it plugged in, and free?`,
      );
    }
    const video = videoElement();
    video.srcObject = stream;
    await video.play();
    return new Camera(video, stream);
  }

  get width(): number {
    return this.video.videoWidth;
  }

  get height(): number {
    return this.video.videoHeight;
  }

  /** Seconds since it was opened. */
  now(): number {
    return (performance.now() - this.begun) / 1000;
  }

  /** Wait for the next frame. */
  next(): Promise<void> {
    this.coming ??= new Promise((resolve) => {
      const done = (): void => {
        this.coming = null;
        this.frame += 1;
        resolve();
      };
      if ("requestVideoFrameCallback" in this.video) this.video.requestVideoFrameCallback(done);
      else requestAnimationFrame(done);
    });
    return this.coming;
  }

  close(): void {
    for (const track of this.stream.getTracks()) track.stop();
    this.video.srcObject = null;
  }
}
