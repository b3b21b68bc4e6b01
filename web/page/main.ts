// The page: a video or the camera, boxes, tracking, and the files that one takes away.
import { Siamtrack, type Box, type Track } from "../src/index.js";
import { $ as find, announce, h, icon, toast } from "../../src/siamtrack/studio/static/dom.js";
import { nextTheme } from "../../src/siamtrack/studio/static/theme.js";
import { coco, csv, jsonLines, save } from "./exports.js";
import { isolate, keepOffline } from "./offline.js";
import { Camera, Clip } from "./sources.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";

const FORMATS = {
  csv: [csv, "text/csv"],
  jsonl: [jsonLines, "application/jsonl"],
  json: [coco, "application/json"],
} as const;

const $ = (id: string): HTMLElement => find(id) as HTMLElement;
const field = (id: string): HTMLInputElement => find(id) as HTMLInputElement;
const button = (id: string): HTMLButtonElement => find(id) as HTMLButtonElement;
const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

class Page {
  private tracker: Siamtrack | null = null;
  private source: Clip | Camera | null = null;
  private store = new Store();
  private stage = this.newStage();
  /** The frame that the tracker has seen last, if nothing was changed since. */
  private live: number | null = null;
  private running = false;
  private stopping = false;
  private done: Promise<void> = Promise.resolve();

  // The model

  async load(): Promise<void> {
    const redetect = field("redetect").checked;
    const before = this.tracker;
    try {
      this.tracker = await Siamtrack.load({ redetect });
      before?.close();
      const { backend, threads, notes } = this.tracker.engine;
      const where = backend === "webgpu" ? "on WebGPU" : `in WebAssembly, ${threads} thread${threads > 1 ? "s" : ""}`;
      for (const id of ["engine", "engine-here"]) $(id).textContent = `The model runs ${where}.`;
      $("notes").replaceChildren(...notes.map((note) => h("li", {}, note)));
      document.body.dataset.engine = `${backend} ${threads}`;
      keepOffline();
    } catch (error) {
      this.tracker = before;
      const text = messageOf(error);
      for (const id of ["engine", "engine-here"]) $(id).textContent = `No tracking: ${text}.`;
      document.body.dataset.engine = "none";
    }
    this.live = null;
    this.refresh();
  }

  // Where frames come from

  async open(make: () => Promise<Clip | Camera>): Promise<void> {
    await this.stop();
    $("fault").hidden = true;
    let source: Clip | Camera;
    try {
      source = await make();
    } catch (error) {
      $("fault").textContent = messageOf(error);
      $("fault").hidden = false;
      return;
    }
    this.source?.close();
    this.source = source;
    this.store = new Store();
    this.stage = this.newStage();
    this.live = null;
    await this.tracker?.clear();
    $("title").textContent = source.title;
    $("home-view").hidden = true;
    $("work-view").hidden = false;
    document.body.classList.add("working");
    document.body.classList.toggle("live", source instanceof Camera);
    this.say("");
    if (source instanceof Camera) {
      this.done = this.watch(source);
    } else {
      field("frame").max = field("seek").max = String(source.count - 1);
      this.present(source, source.video);
    }
    this.refresh();
  }

  private newStage(): Stage {
    const canvas = $("stage").cloneNode() as HTMLCanvasElement; // without the listeners of before
    $("stage").replaceWith(canvas);
    return new Stage(canvas, this.store, (id, box) => void this.draw(id, box), () => this.refresh());
  }

  home(): void {
    void this.stop();
    this.source?.close();
    this.source = null;
    $("work-view").hidden = true;
    $("home-view").hidden = false;
    $("title").textContent = "";
    document.body.classList.remove("working", "live");
  }

  // Frames

  private present(source: Clip, picture: CanvasImageSource, frame = source.frame): void {
    this.stage.show(picture, source.width, source.height, frame);
    field("frame").value = field("seek").value = String(frame);
    $("clock").textContent = `of ${source.count} · ${source.time(frame).toFixed(2)} s`;
  }

  async goto(frame: number): Promise<void> {
    const { source } = this;
    if (!(source instanceof Clip) || this.running || !Number.isFinite(frame)) return;
    try {
      await source.seek(frame);
    } catch (error) {
      return this.say(messageOf(error), true);
    }
    this.present(source, source.video);
    this.refresh();
  }

  // Boxes

  private async draw(id: number | null, box: Box): Promise<void> {
    const { source, store, stage, tracker } = this;
    if (!source) return;
    const time = source instanceof Clip ? source.time(stage.frame) : source.now();
    const number = store.draw(id, stage.frame, time, box);
    this.live = null;
    this.refresh();
    if (source instanceof Camera && tracker) {
      try {
        await tracker.add(stage.shown, box, number);
      } catch (error) {
        this.say(messageOf(error), true);
      }
    }
  }

  private removeTarget(id: number): void {
    this.store.remove(id);
    this.live = null;
    if (this.source instanceof Camera) void this.tracker?.remove(id).catch(() => {});
    this.refresh();
  }

  // Tracking

  async track(): Promise<void> {
    const { source, tracker } = this;
    if (!(source instanceof Clip) || !tracker || this.running) return;
    this.running = true;
    this.stopping = false;
    this.refresh();
    this.done = this.follow(source, tracker).catch((error) => this.say(messageOf(error), true));
    await this.done;
    this.running = false;
    this.refresh();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.done;
  }

  /** Track all targets of the frame that is shown through the rest of the file. */
  private async follow(source: Clip, tracker: Siamtrack): Promise<void> {
    const { store, stage } = this;
    const first = source.frame;
    // Start, unless the tracker goes on where it was
    if (this.live !== first) {
      await tracker.clear();
      for (const { id, box } of store.rows(first)) await tracker.add(stage.shown, box, id);
    }
    const begun = performance.now();
    let waiting: { frame: number; picture: ImageBitmap; tracks: Promise<Track[]> } | null = null;
    const finish = async (): Promise<void> => {
      if (!waiting) return;
      const { frame, picture, tracks } = waiting;
      waiting = null;
      for (const track of await tracks) store.put(frame, source.time(frame), track);
      this.live = frame;
      this.present(source, picture, frame);
      picture.close();
      this.list();
      const rate = ((frame - first) * 1000) / (performance.now() - begun);
      this.say(`Frame ${frame} of ${source.count}, ${rate.toFixed(1)} frames/s`);
    };
    // The next frame is decoded while the network works on this one
    for (let frame = first + 1; frame < source.count && !this.stopping; frame++) {
      await source.seek(frame);
      await finish();
      const picture = await createImageBitmap(source.video);
      waiting = { frame, picture, tracks: tracker.updateAll(picture) };
      waiting.tracks.catch(() => {}); // said where it is awaited
    }
    await finish();
    if (this.stopping && this.live !== null) await source.seek(this.live);
    const seconds = (performance.now() - begun) / 1000;
    const count = source.frame - first;
    this.say(`${count} frames, ${(count / Math.max(seconds, 1e-3)).toFixed(1)} frames/s`);
    announce(`${count} frames tracked`);
  }

  /** The camera: every frame that there is time for, until it is closed. */
  private async watch(source: Camera): Promise<void> {
    this.stopping = false;
    while (!this.stopping && this.source === source) {
      await Promise.race([source.next(), new Promise((resolve) => setTimeout(resolve, 500))]);
      const seen = source.frame === this.stage.frame;
      if (document.hidden || this.stage.busy || seen || this.source !== source) continue;
      const bitmap = await createImageBitmap(source.video).catch(() => null);
      if (!bitmap) continue;
      const { frame } = source;
      const time = source.now();
      const begun = performance.now();
      const picture = document.createElement("canvas");
      Object.assign(picture, { width: bitmap.width, height: bitmap.height });
      picture.getContext("2d")?.drawImage(bitmap, 0, 0);
      try {
        const tracks = this.store.targets.length && this.tracker ? await this.tracker.updateAll(bitmap) : [];
        for (const track of tracks) this.store.put(frame, time, track);
        const rate = 1000 / (performance.now() - begun);
        if (tracks.length) this.say(`${rate.toFixed(1)} frames/s`);
      } catch (error) {
        this.say(messageOf(error), true);
      }
      bitmap.close();
      if (!this.stage.busy) this.stage.show(picture, source.width, source.height, frame);
      this.list();
    }
  }

  /** What is said when the tab comes back. */
  shown(hiddenFor: number): void {
    if (!this.source) return;
    if (this.source instanceof Camera) {
      toast("The camera was not followed while this tab was hidden: targets are looked for where they were.");
    } else if (this.running && hiddenFor > 1000) {
      toast("This tab was hidden: the browser may have tracked more slowly meanwhile.");
    }
    this.stage.draw();
  }

  // What is to be seen beside the picture

  private say(text: string, bad = false): void {
    $("job").textContent = text;
    $("job").classList.toggle("bad", bad);
  }

  refresh(): void {
    const { running, stage, store, source } = this;
    const here = store.rows(stage.frame).length > 0;
    button("track").hidden = running || source instanceof Camera;
    button("track").disabled = !here || !this.tracker;
    button("stop").hidden = !running;
    button("export").disabled = !store.moments.size;
    for (const id of ["first", "back", "on", "last", "frame", "seek"]) button(id).disabled = running;
    $("no-targets").hidden = store.targets.length > 0;
    $("hint").textContent = store.targets.length || running ? "" : "Drag a box around something";
    if (stage.draft) $("hint").textContent = "Arrows move it, Ctrl with arrows sizes it, Enter keeps it";
    stage.draw();
    this.list();
  }

  private list(): void {
    const { store, stage } = this;
    const items = store.targets.map(({ id, name, color }) => {
      const row = store.row(id, stage.frame);
      const dot = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      dot.innerHTML = '<circle cx="9" cy="9" r="9"/>';
      dot.setAttribute("class", "dot solid");
      dot.setAttribute("viewBox", "0 0 18 18");
      (dot.firstChild as SVGElement).setAttribute("fill", color);
      const rename = h("input", { type: "text", maxLength: 80, value: name, "aria-label": "Name" });
      rename.onchange = () => {
        const target = store.target(id);
        const given = rename.value.trim();
        if (target) Object.assign(target, { name: given || `target ${id}`, named: given !== "" });
        stage.draw();
      };
      const state = row ? (row.key ? "key frame" : row.state) : "";
      const remove = h("button", { className: "quiet", title: "Remove this target", "aria-label": "Remove" }, icon("cross"));
      remove.onclick = () => this.removeTarget(id);
      const item = h("li", { className: id === store.selected ? "selected" : "" }, dot, rename, h("span", { className: `state ${state}` }, state), remove);
      item.onclick = () => {
        if (store.selected === id) return;
        store.selected = id;
        this.refresh();
      };
      return item;
    });
    if (!$("targets").contains(document.activeElement)) $("targets").replaceChildren(...items);
  }

  export(format: keyof typeof FORMATS): void {
    const { source, store } = this;
    if (!source) return;
    const [write, type] = FORMATS[format];
    const stem = source.title.replace(/\.[^.]*$/, "");
    save(write(store, source), `${stem}.${format}`, type);
  }

  // By hand

  listen(): void {
    const drop = $("drop");
    for (const name of ["dragover", "drop"]) {
      document.addEventListener(name, (event) => event.preventDefault());
      document.addEventListener(name, () => drop.classList.toggle("over", name === "dragover"));
    }
    const clip = (file?: File | null): void => {
      if (!file) return;
      this.home();
      void this.open(() => Clip.open(file));
    };
    document.addEventListener("drop", (event) => clip(event.dataTransfer?.files[0]));
    $("choose").onclick = () => $("file").click();
    field("file").onchange = () => {
      clip(field("file").files?.[0]);
      field("file").value = "";
    };
    $("camera").onclick = () => void this.open(() => Camera.open());
    $("to-home").onclick = () => this.home();
    $("theme").onclick = () => nextTheme();
    $("track").onclick = () => void this.track();
    $("stop").onclick = () => void this.stop();
    $("new").onclick = () => this.begin();
    $("first").onclick = () => void this.goto(0);
    $("last").onclick = () => void this.goto(Infinity);
    $("back").onclick = () => void this.goto(this.stage.frame - 1);
    $("on").onclick = () => void this.goto(this.stage.frame + 1);
    field("frame").onchange = () => void this.goto(Number(field("frame").value));
    field("seek").oninput = () => void this.goto(Number(field("seek").value));
    field("redetect").onchange = () => void this.stop().then(() => this.load());
    const dialog = find("export-dialog") as HTMLDialogElement;
    $("export").onclick = () => dialog.showModal();
    $("export-close").onclick = () => dialog.close();
    for (const each of dialog.querySelectorAll<HTMLButtonElement>("[data-format]")) {
      each.onclick = () => {
        this.export(each.dataset.format as keyof typeof FORMATS);
        dialog.close();
      };
    }
    document.addEventListener("keydown", (event) => this.key(event));
    let hiddenAt = 0;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) hiddenAt = performance.now();
      else this.shown(performance.now() - hiddenAt);
    });
  }

  private begin(): void {
    if (!this.source || this.running) return;
    this.store.selected = null;
    this.stage.begin();
    this.refresh();
  }

  private key(event: KeyboardEvent): void {
    const typing = (event.target as HTMLElement).matches("input, button, dialog *");
    if (!this.source || (typing && event.key !== "Escape")) return;
    const { stage } = this;
    const orders: Record<string, () => void> = {
      ArrowLeft: () => void this.goto(stage.frame - 1),
      ArrowRight: () => void this.goto(stage.frame + 1),
      Home: () => void this.goto(0),
      End: () => void this.goto(Infinity),
      f: () => void this.track(),
      s: () => void this.stop(),
      n: () => this.begin(),
      x: () => $("export").click(),
      Escape: () => stage.cancel(),
    };
    if (stage.draft && event.key.startsWith("Arrow")) stage.nudge(event);
    else if (stage.draft && event.key === "Enter") stage.commit();
    else if (event.ctrlKey || event.metaKey || !(event.key in orders)) return;
    else orders[event.key]();
    event.preventDefault();
    this.refresh();
  }
}

const page = new Page();
page.listen();
if (!(await isolate())) void page.load();
