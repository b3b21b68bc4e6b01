// When each frame of a video is shown. MP4 and MOV files say it; of others, a few frames are watched.

const CONTAINERS = new Set(["moov", "trak", "mdia", "minf", "stbl"]);
const WATCHED = 8;
const USUAL = 25;
const MOST_HEAD = 64 * 2 ** 20;

/** Start of each frame in seconds, and the end of the last one. */
export async function frameTimes(file: Blob, video: HTMLVideoElement): Promise<Float64Array> {
  const told = await mp4Times(file).catch(() => null);
  if (told && told.length > 1) return told;
  const rate = await watchedRate(video);
  const count = Math.max(1, Math.round(video.duration * rate));
  return Float64Array.from({ length: count + 1 }, (_, k) => k / rate);
}

/** Walk the boxes of an MP4 file to the table of its video track's frame durations. */
async function mp4Times(file: Blob): Promise<Float64Array | null> {
  for (let at = 0; at + 16 <= file.size; ) {
    const head = new DataView(await file.slice(at, at + 16).arrayBuffer());
    const [size, type, inner] = boxAt(head, 0);
    const whole = size === 0 ? file.size - at : size;
    if (whole < inner || whole > file.size - at) return null;
    if (type === "moov") {
      if (whole > MOST_HEAD) return null;
      return tableOf(new DataView(await file.slice(at, at + whole).arrayBuffer()));
    }
    at += whole;
  }
  return null;
}

function boxAt(view: DataView, at: number): [size: number, type: string, inner: number] {
  const type = String.fromCharCode(...[4, 5, 6, 7].map((k) => view.getUint8(at + k)));
  const size = view.getUint32(at);
  return size === 1 ? [Number(view.getBigUint64(at + 8)), type, 16] : [size, type, 8];
}

function tableOf(view: DataView): Float64Array | null {
  let [scale, isVideo] = [0, false];
  let found: Float64Array | null = null;
  const walk = (from: number, to: number): void => {
    for (let at = from; at + 8 <= to && !found; ) {
      const [size, type, inner] = boxAt(view, at);
      if (size < inner || at + size > to) return;
      const body = at + inner;
      if (type === "trak") isVideo = false;
      if (type === "mdhd") scale = view.getUint32(body + (view.getUint8(body) === 1 ? 20 : 12));
      if (type === "hdlr") isVideo = view.getUint32(body + 8) === 0x76696465; // "vide"
      if (type === "stts" && isVideo && scale) found = durations(view, body, at + size, scale);
      if (CONTAINERS.has(type)) walk(body, at + size);
      at += size;
    }
  };
  walk(0, view.byteLength);
  return found;
}

function durations(view: DataView, body: number, end: number, scale: number): Float64Array {
  const times = [0];
  let time = 0;
  const entries = view.getUint32(body + 4);
  for (let k = 0, at = body + 8; k < entries && at + 8 <= end; k++, at += 8) {
    const [count, length] = [view.getUint32(at), view.getUint32(at + 4)];
    if (times.length + count > 1e7) return Float64Array.of();
    for (let n = 0; n < count; n++) times.push((time += length) / scale);
  }
  return Float64Array.from(times);
}

/** Play a moment without sound and take the shortest step between two frames. */
async function watchedRate(video: HTMLVideoElement): Promise<number> {
  if (!("requestVideoFrameCallback" in video)) return USUAL;
  const seen: number[] = [];
  video.muted = true;
  video.playbackRate = 0.5;
  await new Promise<void>((resolve) => {
    const late = setTimeout(resolve, 3000);
    const take = (_: number, { mediaTime }: VideoFrameCallbackMetadata): void => {
      seen.push(mediaTime);
      if (seen.length < WATCHED) video.requestVideoFrameCallback(take);
      else resolve(clearTimeout(late));
    };
    video.requestVideoFrameCallback(take);
    video.play().catch(() => resolve(clearTimeout(late)));
  });
  video.pause();
  const steps = seen.slice(1).map((time, k) => time - seen[k]).filter((step) => step > 1e-3);
  return steps.length ? Math.round(1000 / Math.min(...steps)) / 1000 : USUAL;
}
