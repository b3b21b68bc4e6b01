// Puts the parts together.
import { $, announce, h, icon, toast } from "./dom.js";
import { Store, WHY } from "./store.js";
import { Frames } from "./frames.js";
import { Stage } from "./stage.js";
import { Timeline } from "./timeline.js";
import { Player } from "./player.js";
import { TargetList } from "./targets.js";
import { ClassList } from "./classes.js";
import { Second } from "./second.js";
import { Overlay } from "./overlay.js";
import { Outlines } from "./outlines.js";
import { Camera } from "./camera.js";
import { Exports } from "./exports.js";
import { showHome } from "./home.js";
import { listen, shortcuts, showHelp } from "./keyboard.js";
import { nextTheme } from "./theme.js";

const store = new Store();
let studio = null;
let following = true;
let note = ""; // what a drag has just done
let noteTimer = 0;

const frames = new Frames((frame, error) => {
  if (error && frame === store.frame) toast(error.message);
  if (frame === store.frame) stages.forEach((stage) => stage.draw());
});
const outlines = new Outlines(store, (frame) => {
  if (stages.some((each) => each.shown === frame)) stages.forEach((each) => each.draw());
});
const stage = new Stage($("stage"), store, frames, {
  outlines,
  onBox: async (id, frame, box) => {
    const again = id !== null && $("again").checked;
    if (id !== null) {
      const done = await store.edit({ do: "key", target: id, frame, box }, again);
      if (done !== undefined) say(`${store.target(id)?.name} corrected · N for a new target`);
      return;
    }
    const made = await store.edit({ do: "draw", frame, box, class: store.nextClass || null });
    if (made !== undefined) store.select(made);
  },
  onDraft: (draft) => hint(draft),
});
const second = new Stage($("stage-b"), store, frames, { outlines, model: () => store.modelB });
const stages = [stage, second];
const timeline = new Timeline($("timeline"), store);
const player = new Player(store, frames);
const classes = new ClassList(store);
const list = new TargetList(store, (target) => classes.ask(target));
const overlay = new Overlay(store);
const camera = new Camera();
const exports = new Exports(store, outlines);
const asks = new Second(store, () => studio?.models || []);

const busy = () => store.job.state === "running" || store.job.state === "paused";

const actions = {
  play: () => {
    following = false;
    player.toggle();
  },
  step: (by) => actions.goto(store.frame + by),
  goto: (frame) => {
    store.dispatchEvent(new Event("hands-on"));
    store.goto(frame);
  },
  key: (direction) => {
    const all = (store.current ? [store.current] : store.targets).flatMap((target) => target.keys.map((key) => key[0]));
    const beyond = all.filter((frame) => (frame - store.frame) * direction > 0);
    if (beyond.length) actions.goto(direction > 0 ? Math.min(...beyond) : Math.max(...beyond));
  },
  doubt: async () => {
    await store.fetchDoubts().catch((error) => toast(error.message));
    timeline.draw();
    const order = new Map(store.targets.map((target, k) => [target.id, k]));
    const all = [...store.doubts].filter(([id]) => order.has(id))
      .flatMap(([id, found]) => found.map(([first, , why]) => ({ id, first, why, row: order.get(id) })))
      .sort((a, b) => a.first - b.first || a.row - b.row);
    if (!all.length) return toast("Nothing doubtful. Check backwards (V) tracks once more from the end and marks where the two disagree.");
    const row = order.get(store.selected) ?? -1;
    const beyond = all.find((each) => each.first > store.frame || (each.first === store.frame && each.row > row));
    const next = beyond || all[0];
    store.select(next.id);
    actions.goto(next.first);
    announce(`${beyond ? "" : "From the beginning. "}${store.current.name} ${WHY[next.why]}`);
    if (!beyond) say("From the beginning", 1500);
  },
  check: () => {
    if (![...store.tables.values()].some((table) => table.tracked)) return toast("Nothing to check yet: press Track first.");
    following = false;
    next = null;
    store.check();
  },
  draw: () => stage.add(),
  confirm: () => {
    const box = store.current && store.box(store.selected, store.frame);
    if (!box) return toast("There is no box to keep in this frame: select a target that has one.");
    store.edit({ do: "key", target: store.selected, frame: store.frame, box }, $("again").checked);
  },
  classify: (k) => {
    const name = store.classes[k]?.[0];
    if (!name) return toast(`There is no class ${k + 1} yet: add one under Classes.`);
    store.nextClass = name;
    if (stage.adding || !store.current) return stage.draw(), hint();
    store.edit({ do: "classify", target: store.selected, class: name });
  },
  change: () => stage.beginDraft(store.selected),
  absent: () => store.current && store.edit({ do: "absent", target: store.selected, frame: store.frame }, false),
  unkey: () => store.current && store.edit({ do: "unkey", target: store.selected, frame: store.frame }, $("again").checked),
  undo: () => store.edit({ do: "undo" }),
  redo: () => store.edit({ do: "redo" }),
  forward: () => track("forward"),
  backward: () => track("backward"),
  both: () => track("both"),
  pause: () => busy() && store.order({ do: store.job.state === "paused" ? "resume" : "pause" }),
  stop: () => {
    next = null;
    if (busy()) store.order({ do: "stop" });
  },
  compare: () => {
    store.comparing = !store.comparing;
    $("second").hidden = $("model-b-row").hidden = $("caption-a").hidden = !store.comparing;
    $("compare").setAttribute("aria-pressed", store.comparing);
    store.refresh();
    update("selected");
  },
  outlines: () => {
    outlines.set(!outlines.on);
    update("outlines");
  },
  look: () => {
    $("look").open = !$("look").open;
  },
  export: () => exports.show(),
  fit: () => stage.setZoom(1),
  help: () => showHelp(table),
};
const table = shortcuts(actions);

// With two models to compare, the second follows when the first is done.
let next = null;
function track(direction) {
  if (!store.targets.length) return toast("Draw a box first: drag in the picture, or press N.");
  following = true;
  player.pause();
  next = store.comparing && store.modelB !== store.model ? direction : null;
  store.track(direction);
}

// Say for a while what has just happened, where the hints are.
function say(words, milliseconds = 4000) {
  note = words;
  clearTimeout(noteTimer);
  noteTimer = setTimeout(() => {
    note = "";
    hint();
  }, milliseconds);
  announce(words);
  hint();
}

function hint(draft = stage.draft) {
  const box = $("hint");
  const current = store.current;
  const doubt = current && store.doubtAt(current.id, store.frame);
  if (draft && !stage.hand) {
    box.textContent = `Arrows move, Ctrl + arrows size, Enter keeps, Esc drops · ${draft.box.map(Math.round).join(", ")}`;
    announce(`Box ${draft.box.map(Math.round).join(", ")}`);
  } else if (!store.project) box.textContent = "";
  else if (!store.project.exact) box.textContent = "Reading the video …";
  else if (stage.adding && !draft) {
    const kind = store.nextClass ? ` (${store.nextClass})` : "";
    box.textContent = `Drag a box around the new target${kind}, or place it with the arrows · Esc: not now`;
  } else if (note) box.textContent = note;
  else if (!store.targets.length) box.textContent = "Drag a box around what to follow";
  else if (!current) box.textContent = "Nothing is selected: a box that you drag is a new target";
  else if (!store.box(current.id, store.frame)) box.textContent = `Drag a box where ${current.name} is`;
  else if (doubt && !store.isKey(current, store.frame)) box.textContent = `${current.name} ${WHY[doubt]}`;
  else box.textContent = "";
}

function update(what) {
  const { project } = store;
  if (!project) return;
  if (what === "frame" || what === "project" || what === "playing") {
    const ahead = player.playing ? 12 : 2;
    const near = Array.from({ length: ahead }, (_, k) => store.frame + 1 + k);
    if (!player.playing) near.push(store.frame - 1);
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    frames.show(Math.min(project.width, stage.canvas.clientWidth * ratio * stage.zoom));
    frames.ask([store.frame, ...near.filter((frame) => frame >= 0 && frame < project.total)]);
    if (document.activeElement !== $("frame")) $("frame").value = store.frame;
    $("frame").max = project.total - 1;
    $("clock").textContent = `of ${project.total - 1} · ${time(store.frame / project.fps)}`;
  }
  if (what === "project") {
    $("title").textContent = project.name;
    document.title = `${project.name} · siamtrack studio`;
    $("undo").disabled = !project.undo;
    $("redo").disabled = !project.redo;
    list.build();
    classes.build();
    setTimeout(() => !store.project?.exact && store.project && poll(), 500);
  }
  if (what === "playing") {
    $("play").replaceChildren(icon(player.playing ? "pause" : "play"));
    $("play").setAttribute("aria-label", player.playing ? "Pause" : "Play");
  }
  if (what === "rows" && following && store.job.state === "running") follow();
  if (what === "job" || what === "project") showJob();
  if (what !== "job") list.update();
  asks.update();
  if (what === "frame" || what === "selected" || what === "project") overlay.update();
  showOutlines();
  $("saved").textContent = store.online ? "Saved" : "The server is away; trying again …";
  $("caption-a").textContent = store.model;
  $("caption-b").textContent = store.modelB;
  hint();
  stages.forEach((each) => each.draw());
  timeline.draw();
}

// Where boxes are known, outlines of what is seen come first, then those of what comes next.
function showOutlines() {
  $("outlines-row").hidden = !store.targets.length;
  $("outlines").checked = outlines.on;
  const models = [...new Set(store.comparing ? [store.model, store.modelB] : [store.model])];
  const next = player.playing ? [1, 2, 3, 4].map((k) => store.frame + k) : [];
  outlines.ask(models, [store.frame, ...next.filter((frame) => frame < store.project.total)]);
}

// Frames are found faster than a page can show them all: it jumps to the newest.
function follow() {
  const { job } = store;
  if (job.frame !== undefined && frames.flying.size < 2) store.goto(job.frame);
}

async function poll() {
  const { get } = await import("./api.js");
  if (!store.project) return;
  const summary = await get(store.path);
  if (summary.exact) { // numbers may have meant other frames until now
    frames.reset(store.path);
    outlines.reset();
  }
  store.take(summary);
  if (summary.exact) await store.refresh();
}

function showJob() {
  const { job } = store;
  $("job-buttons").hidden = !busy();
  $("track-buttons").hidden = busy();
  $("pause").textContent = job.state === "paused" ? "Continue" : "Pause";
  $("job").className = job.state === "failed" ? "job bad" : "job muted";
  const left = job.total ? ` · ${Math.min(100, Math.round((100 * job.done) / job.total))} %` : "";
  const doing = job.check ? "Checking · " : "";
  if (job.state === "running") $("job").textContent = job.fps ? `${doing}${job.fps.toFixed(0)} frames/s${left}` : "Starting …";
  else if (job.state === "paused") $("job").textContent = `Paused${left}`;
  else if (job.state === "failed") $("job").textContent = job.error;
  else $("job").textContent = job.done ? `${job.done} ${job.check ? "checked" : "frames"}, ${job.fps.toFixed(0)}/s` : "";
}

function time(seconds) {
  const whole = Math.floor(seconds);
  const parts = [Math.floor(whole / 60) % 60, whole % 60].map((part) => String(part).padStart(2, "0"));
  const hours = Math.floor(whole / 3600);
  return `${hours ? `${hours}:` : ""}${parts.join(":")}.${String(Math.floor((seconds % 1) * 100)).padStart(2, "0")}`;
}

// The three views; the address says which, so that reload and "back" do what they should.

function show(view) {
  for (const name of ["home", "work", "camera"]) $(`${name}-view`).hidden = name !== view;
  document.body.classList.toggle("working", view === "work");
  $("to-camera").classList.toggle("in-work", view === "work");
  if (view !== "work") {
    player.pause();
    exports.end();
    store.close();
    $("title").textContent = $("saved").textContent = "";
    document.title = "siamtrack studio";
  }
  if (view !== "camera") camera.stop();
}

const NOWHERE = "There is no project at this address.";
const openProject = (id) => (location.hash = `#/p/${id}`);

let notice = ""; // what the first page says, once

async function route() {
  const match = location.hash.match(/^#\/p\/([0-9a-f]{16})$/);
  try {
    if (match) {
      const { get } = await import("./api.js");
      studio = await get("/api/studio");
      show("work");
      frames.reset(`/api/projects/${match[1]}`);
      outlines.reset();
      fillModels();
      store.waiting = null;
      await store.open(match[1], studio.models);
      stage.cancel();
      stage.setZoom(1);
      update("project");
    } else if (location.hash === "#/camera") {
      show("camera");
      const found = (await showHome(openProject)).studio;
      camera.show(found.models, found.cameras);
    } else {
      show("home");
      if (!match && !["", "#/", "#/clips"].includes(location.hash)) notice = NOWHERE;
      const found = await showHome(openProject, notice);
      notice = "";
      studio = found.studio;
      if (studio.single && location.hash === "") await found.openClip(studio.clips[0].id);
    }
  } catch (error) {
    if (!match) return toast(error.message);
    notice = error.status === 404 ? `${NOWHERE} It may have been deleted, or its clip moved.` : error.message;
    location.replace("#/clips");
  }
}

function fillModels() {
  for (const [id, field] of [["model", "model"], ["model-b", "modelB"]]) {
    $(id).replaceChildren(...studio.models.map((name) => h("option", {}, name)));
    $(id).selectedIndex = field === "modelB" && studio.models.length > 1 ? 1 : 0;
    $(id).onchange = () => {
      store[field] = $(id).value;
      store.refresh();
      update("selected");
    };
  }
  $("model-row").hidden = false;
}

// Wiring

store.addEventListener("change", (event) => update(event.detail));
store.addEventListener("hands-on", () => (following = false));
store.addEventListener("job-ended", async (event) => {
  const direction = next;
  next = null;
  if (direction) store.track(direction, store.modelB);
  if (!event.detail.check) return;
  await store.fetchDoubts().catch(() => {});
  const marked = [...store.doubts.values()].flat().filter(([, , why]) => why === "back").length;
  toast(!marked ? "Tracking backwards agrees everywhere."
    : `Tracking backwards disagrees in ${marked === 1 ? "one stretch" : `${marked} stretches`}: Next doubtful (L) goes there.`);
  timeline.draw();
});
store.addEventListener("gone", () => {
  notice = "This project was deleted.";
  location.hash = "#/clips";
});
const clicks = {
  undo: "undo", redo: "redo", play: "play", new: "draw", absent: "absent", unkey: "unkey",
  doubt: "doubt", check: "check", confirm: "confirm",
  "track-on": "forward", "track-back": "backward", "track-both": "both", pause: "pause", stop: "stop",
  compare: "compare", export: "export", help: "help",
};
for (const [id, action] of Object.entries(clicks)) $(id).addEventListener("click", () => actions[action]());
$("first").addEventListener("click", () => actions.goto(0));
$("last").addEventListener("click", () => actions.goto(store.project.total - 1));
$("back").addEventListener("click", () => actions.step(-1));
$("on").addEventListener("click", () => actions.step(1));
$("frame").addEventListener("change", () => actions.goto(Number($("frame").value)));
$("frame").addEventListener("keydown", (event) => event.key === "Enter" && $("frame").blur());
$("outlines").addEventListener("change", () => actions.outlines());
$("redetect").addEventListener("change", () => (store.redetect = $("redetect").checked));
$("theme").addEventListener("click", () => {
  nextTheme();
  update("theme");
});
$("to-home").addEventListener("click", () => (location.hash = "#/clips"));
$("to-camera").addEventListener("click", () => (location.hash = "#/camera"));
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => update("theme"));
window.addEventListener("hashchange", route);
window.addEventListener("resize", () => update("frame"));
listen(table, store, stage, actions);
route();
