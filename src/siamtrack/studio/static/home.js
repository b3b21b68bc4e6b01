// The first page: clips that may be opened, projects that exist, and a place to drop a video.
import { get, post, upload } from "./api.js";
import { $, h, toast } from "./dom.js";

export async function showHome(open) {
  const studio = await get("/api/studio");
  const view = $("home-view");
  const go = (id) => open(id, studio.models);
  const openClip = async (clip) => {
    try {
      go((await post("/api/open", { clip })).project);
    } catch (error) {
      toast(error.message);
    }
  };
  const row = (name, words, onclick) =>
    h("li", {}, h("button", { onclick }, h("span", {}, name), h("span", { className: "muted" }, words)));
  const begun = new Set(studio.projects.map((project) => project.clip));
  const clips = studio.clips.map((clip) => row(clip.name, begun.has(clip.id) ? "Go on" : "Open", () => openClip(clip.id)));
  const listed = new Set(studio.clips.map((clip) => clip.id));
  const projects = studio.projects.filter((project) => !listed.has(project.clip))
    .map((project) => row(project.name, "Go on", () => go(project.id)));
  const parts = [
    h("header", {}, h("h1", {}, "Track anything you can draw a box around"),
      h("p", { className: "lead" }, "Open a clip, drag a box, watch it followed, correct it where it slips, and take the result home. Nothing leaves this machine.")),
  ];
  if (clips.length) parts.push(h("section", {}, h("h2", {}, "Clips"), h("ul", { className: "clips", id: "clips" }, ...clips)));
  parts.push(dropZone(go, studio.upload));
  if (projects.length) parts.push(h("section", {}, h("h2", {}, "Uploaded before"), h("ul", { className: "clips", id: "projects" }, ...projects)));
  view.replaceChildren(h("div", { className: "home" }, ...parts));
  return { studio, openClip };
}

function dropZone(go, limit) {
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
      go(found.project);
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
