// The first page: clips that may be opened, projects that exist, and a place to drop a video.
import { get, post, remove, upload } from "./api.js";
import { $, h, icon, toast } from "./dom.js";

export async function showHome(open, notice = "") {
  const studio = await get("/api/studio");
  const view = $("home-view");
  const openClip = async (clip) => {
    try {
      open((await post("/api/open", { clip })).project);
    } catch (error) {
      toast(error.message);
    }
  };
  const again = () => showHome(open);
  const newest = new Map(); // clip -> its newest project
  for (const project of studio.projects) if (!newest.has(project.clip)) newest.set(project.clip, project);
  const clips = studio.clips.map((clip) => {
    const project = newest.get(clip.id);
    return project ? card(project.name, `/api/projects/${project.id}`, () => open(project.id), again)
      : card(clip.name, `/api/clips/${clip.id}`, () => openClip(clip.id), null);
  });
  const listed = new Set(studio.clips.map((clip) => clip.id));
  const uploads = studio.projects.filter((project) => !listed.has(project.clip))
    .map((project) => card(project.name, `/api/projects/${project.id}`, () => open(project.id), again));
  const parts = [
    h("header", {}, h("h1", {}, "Track anything you can draw a box around"),
      h("p", { className: "lead" }, "Open a clip, draw a box, press Track. Correct it where it slips, then export. Nothing leaves this machine.")),
  ];
  if (notice) parts.unshift(h("p", { className: "notice", id: "notice", role: "alert" }, `${notice} `, "Choose one of these, or drop a video."));
  if (clips.length) parts.push(h("section", {}, h("h2", {}, "Clips"), h("ul", { className: "cards", id: "clips" }, ...clips)));
  parts.push(dropZone(open, studio.upload));
  if (uploads.length) parts.push(h("section", {}, h("h2", {}, "Uploaded before"), h("ul", { className: "cards", id: "projects" }, ...uploads)));
  view.replaceChildren(h("div", { className: "home" }, ...parts));
  return { studio, openClip };
}

// Cards ask for their picture and facts when they come into view: there may be hundreds of them.
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    target.dispatchEvent(new Event("seen"));
  }
}, { rootMargin: "200px" });

// A clip, or a project if `changed` is there to be called when it was renamed or deleted.
function card(name, path, onopen, changed) {
  const picture = h("img", { alt: "", decoding: "async" });
  picture.addEventListener("error", () => picture.remove());
  const facts = h("span", { className: "muted facts" }, changed ? "" : "Not begun");
  const length = h("span", { className: "length", hidden: true });
  const button = h("button", { className: "open", onclick: onopen },
    h("span", { className: "thumb" }, picture, length), h("span", { className: "name", title: name }, name), facts);
  const item = h("li", { className: "card" }, button);
  if (changed) item.append(tools(name, path, item, facts, changed));
  item.addEventListener("seen", async () => {
    picture.src = `${path}/thumbnail`;
    try {
      const found = await get(`${path}/card`);
      length.textContent = lengthOf(found);
      length.hidden = !length.textContent;
      if (changed) facts.textContent = `${targetsOf(found.targets)} · ${ago(found.changed)}`;
    } catch (error) {
      facts.textContent = error.message;
    }
  });
  seen.observe(item);
  return item;
}

function tools(name, path, item, facts, changed) {
  const rename = h("button", { className: "quiet", title: "Rename", "aria-label": `Rename ${name}`, onclick: () => ask() }, icon("pen"));
  const bin = h("button", { className: "quiet", title: "Delete", "aria-label": `Delete ${name}`, onclick: () => sure() }, icon("bin"));
  const box = h("div", { className: "card-tools" }, rename, bin);
  const act = async (call) => {
    try {
      await call();
      await changed();
    } catch (error) {
      toast(error.message);
    }
  };
  function ask() {
    const field = h("input", { type: "text", value: name, maxLength: 80, "aria-label": "Name of the project" });
    const form = h("form", { className: "card-ask", onsubmit: (event) => {
      event.preventDefault();
      act(() => post(`${path}/name`, { name: field.value }));
    } }, field, h("button", { className: "primary" }, "Rename"), h("button", { type: "button", onclick: () => form.remove() }, "Cancel"));
    form.addEventListener("keydown", (event) => event.key === "Escape" && form.remove());
    item.append(form);
    field.select();
  }
  function sure() {
    const dialog = $("sure-dialog");
    dialog.replaceChildren(
      h("h2", { id: "sure-title" }, `Delete ${name}?`),
      h("p", {}, `Its boxes, tracks and classes (${facts.textContent.split(" · ")[0] || "targets"}) are deleted and cannot be brought back. `
        + "A clip in an opened folder stays; an uploaded video goes as well."),
      h("div", { className: "dialog-foot" },
        h("button", { autofocus: true, onclick: () => dialog.close() }, "Keep it"),
        h("button", { className: "danger", onclick: () => {
          dialog.close();
          act(() => remove(path));
        } }, "Delete")));
    dialog.showModal();
  }
  return box;
}

function lengthOf({ seconds, frames }) {
  if (!seconds) return frames ? `${frames} pictures` : "";
  const whole = Math.round(seconds);
  const clock = whole < 3600 ? [Math.floor(whole / 60), whole % 60] : [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return clock.map((part, k) => (k ? String(part).padStart(2, "0") : part)).join(":");
}

const targetsOf = (count) => (count === null ? "damaged" : count === 1 ? "1 target" : `${count || "No"} targets`);

function ago(seconds) {
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const past = Date.now() / 1000 - seconds;
  for (const [unit, long] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (past >= long) return past > 30 * 86400 ? new Date(seconds * 1000).toLocaleDateString("en") : words.format(-Math.floor(past / long), unit);
  }
  return "just now";
}

function dropZone(open, limit) {
  const input = h("input", { type: "file", accept: "video/*,.mkv,.ts,.mts", hidden: true, id: "file", onchange: () => input.files[0] && send(input.files[0]) });
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const cancel = h("button", { hidden: true, id: "upload-cancel" }, "Cancel");
  const gigabytes = Math.floor(limit / 1e9);
  const zone = h("section", { className: "drop", "aria-label": "Upload a video" },
    h("p", {}, "Drop a video here, or"),
    h("button", { className: "primary", onclick: () => input.click() }, "Choose a video"),
    h("p", { className: "muted" }, gigabytes ? `up to ${gigabytes} GB; it is copied into the studio's folder` : "it is copied into the studio's folder"),
    bar, cancel, input);
  const send = async (file) => {
    const abort = new AbortController();
    cancel.onclick = () => abort.abort();
    bar.hidden = cancel.hidden = false;
    try {
      const found = await upload(file, (share) => (bar.value = share), abort.signal);
      open(found.project);
    } catch (error) {
      toast(error.message);
    } finally {
      bar.hidden = cancel.hidden = true;
      input.value = "";
    }
  };
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
  return zone;
}
