// What the page knows of the open project. Views listen to "change".
import { get, post, Live } from "./api.js";
import { keep, read, toast } from "./dom.js";

export const NONE = 0, TRACKED = 1, UNCERTAIN = 2, LOST = 3, ABSENT = 4;
export const STATE_NAMES = ["", "tracked", "uncertain", "lost", "absent"];
export const WHY = {
  lost: "is lost here", uncertain: "is uncertain here", jump: "jumps here in place or size",
  flat: "rests here since it was lost: is it still the target?",
  gap: "does not meet the key frame beside it: go there and track backwards",
  back: "is elsewhere when tracked backwards",
};

class Tracks {
  constructor(total) {
    this.rows = new Float32Array(total * 5);
    this.state = new Uint8Array(total);
  }

  put(frame, row) {
    if (frame < 0 || frame >= this.state.length) return;
    for (let k = 0; k < 5; k++) this.rows[frame * 5 + k] = row[k];
    this.state[frame] = row[5] + 1;
  }

  box(frame) {
    const state = this.state[frame];
    if (!state || state === ABSENT) return null;
    return [0, 1, 2, 3].map((k) => this.rows[frame * 5 + k]);
  }

  score(frame) {
    return this.rows[frame * 5 + 4];
  }
}

export class Store extends EventTarget {
  project = null;
  frame = 0;
  selected = null;
  model = "";
  modelB = "";
  comparing = false;
  online = true;
  job = { state: "idle" };
  tables = new Map(); // model -> target -> Tracks
  doubts = new Map(); // target -> [[first, last, why]] of the model
  waiting = null; // rows that came while tracks were being fetched
  before = null; // what was selected before
  nextClass = ""; // of the next new target: the class that was given last
  byClass = read("by-class") !== "no";

  changed(what) {
    this.dispatchEvent(new CustomEvent("change", { detail: what }));
  }

  async open(id, models) {
    this.close();
    this.model = models[0];
    this.modelB = models[1] || models[0];
    this.take(await get(`/api/projects/${id}`));
    this.frame = Math.min(this.frame, this.project.total - 1);
    this.select(this.target(Number(read(`selected:${id}`) ?? -1))?.id ?? this.targets[0]?.id ?? null);
    await this.refresh();
    this.live = new Live(id, (message) => this.hear(message), (online) => {
      if (online && !this.online) this.refresh();
      this.online = online;
      this.changed("online");
    });
  }

  close() {
    this.live?.close();
    this.live = this.project = this.selected = this.before = null;
    this.frame = 0;
    this.nextClass = "";
    this.tables.clear();
    this.doubts.clear();
    this.job = { state: "idle" };
  }

  get path() {
    return `/api/projects/${this.project.id}`;
  }

  get targets() {
    return this.project ? this.project.targets : [];
  }

  target(id) {
    return this.targets.find((each) => each.id === id) || null;
  }

  get classes() {
    return this.project ? this.project.classes : [];
  }

  // The color that a target is shown in: its class's, or its own.
  color(target) {
    const found = this.byClass && this.classes.find(([name]) => name === target.class);
    return found ? found[1] : target.color;
  }

  setByClass(on) {
    this.byClass = on;
    keep("by-class", on ? "yes" : "no");
    this.changed("project");
  }

  // Why a target is doubtful in a frame, or null.
  doubtAt(id, frame) {
    const all = this.doubts.get(id) || [];
    return all.find(([first, last]) => first <= frame && frame <= last)?.[2] ?? null;
  }

  get current() {
    return this.target(this.selected);
  }

  tracks(id, model = this.model) {
    return this.tables.get(model)?.get(id) || null;
  }

  box(id, frame, model) {
    return this.tracks(id, model)?.box(frame) || null;
  }

  isKey(target, frame) {
    return target.keys.some((key) => key[0] === frame);
  }

  hear(message) {
    if (message.type === "project") {
      const before = this.project?.revision;
      this.take(message);
      if (message.revision !== before) this.refresh();
    } else if (message.type === "job") {
      const ended = this.job.state !== "idle" && message.state === "idle";
      this.job = message;
      if (message.state === "failed") toast(message.error);
      if (ended) this.refresh();
      this.changed("job");
      if (ended) this.dispatchEvent(new CustomEvent("job-ended", { detail: message }));
    } else if (message.type === "rows") {
      if (this.waiting) this.waiting.push(message);
      this.putRows(message);
      this.changed("rows");
    } else if (message.type === "gone") {
      this.dispatchEvent(new Event("gone"));
    } else if (message.type === "resync") {
      this.refresh();
    }
  }

  take(summary) {
    if (this.project?.id === summary.id && summary.revision < this.project.revision) return;
    this.project = summary;
    this.job = summary.job;
    // What undo took away hands the selection back to what had it before
    if (this.selected !== null && !this.target(this.selected)) this.selected = this.target(this.before)?.id ?? null;
    this.changed("project");
  }

  putRows(message) {
    const table = this.tables.get(message.model);
    if (!table) return;
    table.tracked = true;
    for (const [id, rows] of message.rows) {
      if (!table.has(id)) table.set(id, new Tracks(this.project.total));
      for (const [frame, ...row] of rows) table.get(id).put(frame, row);
    }
  }

  async refresh() {
    if (this.refreshing) {
      this.refreshAgain = true;
      return this.refreshing;
    }
    this.refreshing = this.fetchTracks().catch((error) => toast(error.message));
    await this.refreshing;
    this.refreshing = null;
    if (this.refreshAgain) {
      this.refreshAgain = false;
      await this.refresh();
    }
  }

  async fetchTracks() {
    const models = this.comparing ? [this.model, this.modelB] : [this.model];
    this.waiting = [];
    for (const model of new Set(models)) {
      const found = await get(`${this.path}/tracks?model=${encodeURIComponent(model)}`);
      if (!this.project) return;
      const table = new Map();
      for (const [id, stretches] of found.tracks) {
        const tracks = new Tracks(this.project.total);
        for (const part of stretches) {
          if (part.absent) tracks.state.fill(ABSENT, part.first, part.first + part.absent);
          else part.rows.forEach((row, k) => tracks.put(part.first + k, row));
        }
        table.set(id, tracks);
        table.tracked ||= stretches.some((part) => part.rows?.length > 1);
      }
      this.tables.set(model, table);
    }
    for (const message of this.waiting) this.putRows(message);
    this.waiting = null;
    await this.fetchDoubts();
    this.changed("rows");
  }

  async fetchDoubts() {
    const found = await get(`${this.path}/doubts?model=${encodeURIComponent(this.model)}`);
    if (this.project && found.model === this.model) this.doubts = new Map(found.doubts);
  }

  goto(frame) {
    const last = this.project.total - 1;
    const next = Math.max(0, Math.min(last, Math.round(frame)));
    if (next === this.frame || Number.isNaN(next)) return;
    this.frame = next;
    this.changed("frame");
  }

  select(id) {
    if (this.selected === id) return;
    this.before = this.selected;
    this.selected = id;
    if (id !== null) keep(`selected:${this.project.id}`, id);
    this.changed("selected");
  }

  // Change the project. `again`: let the server track what the change took away.
  async edit(change, again = false) {
    const follow = again ? { frame: change.frame ?? this.frame, model: this.model, redetect: this.redetect !== false } : null;
    try {
      const answer = await post(`${this.path}/edits`, { ...change, follow });
      const newer = answer.project.revision !== this.project.revision;
      this.take({ ...answer.project, job: this.job }); // of jobs only the live news is in order
      if (newer) this.refresh();
      return answer.result;
    } catch (error) {
      toast(error.message);
      return undefined;
    }
  }

  async order(values) {
    try {
      await post(`${this.path}/job`, values);
    } catch (error) {
      toast(error.message);
    }
  }

  track(direction, model = this.model, frame = this.frame) {
    return this.order({ do: "start", direction, model, frame, redetect: this.redetect !== false });
  }

  check() {
    return this.order({ do: "check", model: this.model, frame: this.frame, redetect: this.redetect !== false });
  }
}
