// The files that the page writes: line by line what siamtrack's own sinks write.
import type { Row, Store } from "./store.js";

export interface Source {
  title: string;
  width: number;
  height: number;
}

const HEADER = "frame,time,id,left,top,width,height,score,state";
const round4 = (value: number): number => Math.round(value * 1e4) / 1e4;

/** Frames in their order, with the tracks in each. */
function* frames(store: Store): Generator<[frame: number, time: number, rows: Row[]]> {
  for (const frame of [...store.moments.keys()].sort((a, b) => a - b)) {
    const { time, rows } = store.moments.get(frame)!;
    yield [frame, time, [...rows.values()].sort((a, b) => a.id - b.id)];
  }
}

const quoted = (text: string): string =>
  /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

export function csv(store: Store): string {
  const names = new Map(store.targets.filter(({ named }) => named).map(({ id, name }) => [id, name]));
  const lines = [names.size ? `${HEADER},name,class` : HEADER];
  for (const [frame, time, rows] of frames(store)) {
    for (const { id, box, score, state } of rows) {
      const sides = box.map((value) => value.toFixed(3)).join(",");
      const name = names.size ? `,${quoted(names.get(id) ?? "")},` : "";
      lines.push(`${frame},${time.toFixed(6)},${id},${sides},${score.toFixed(4)},${state}${name}`);
    }
  }
  return lines.join("\n") + "\n";
}

export function jsonLines(store: Store): string {
  let text = "";
  for (const [frame, time, rows] of frames(store)) {
    for (const { id, box, score, state } of rows) {
      const target = store.target(id);
      const row = {
        frame,
        time: Number(time.toFixed(6)),
        id,
        box: box.map(round4),
        score: round4(score),
        state,
        ...(target?.named && { name: target.name }),
      };
      text += JSON.stringify(row) + "\n";
    }
  }
  return text;
}

export function coco(store: Store, source: Source): string {
  const categories = new Map<string, number>();
  const [images, annotations]: [object[], object[]] = [[], []];
  for (const [frame, , rows] of frames(store)) {
    const image = images.length + 1;
    const file = `${String(frame).padStart(6, "0")}.jpg`;
    const { width, height } = source;
    images.push({ id: image, video_id: 1, frame_id: frame, file_name: file, width, height });
    for (const { id, box, score, state } of rows) {
      if (state === "lost") continue;
      const name = store.target(id)?.name ?? "object";
      if (!categories.has(name)) categories.set(name, categories.size + 1);
      annotations.push({
        id: annotations.length + 1,
        image_id: image,
        video_id: 1,
        track_id: id,
        category_id: categories.get(name),
        bbox: box.map(round4),
        area: round4(box[2] * box[3]),
        iscrowd: 0,
        score: round4(score),
      });
    }
  }
  if (!categories.size) categories.set("object", 1);
  return JSON.stringify({
    videos: [{ id: 1, name: source.title }],
    images,
    annotations,
    categories: [...categories].map(([name, id]) => ({ id, name })),
  });
}

/** Let the browser save a text. */
export function save(text: string, name: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
