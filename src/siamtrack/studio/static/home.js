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
  const clips = studio.clips.map((clip) =>
    h("li", {}, h("button", { onclick: () => openClip(clip.id) }, h("span", {}, clip.name), h("span", { className: "muted" }, "Open"))));
  const projects = studio.projects.map((project) =>
    h("li", {}, h("button", { onclick: () => go(project.id) }, h("span", {}, project.name),
      h("span", { className: "muted" }, project.upload ? "uploaded" : "in a folder"))));
  const parts = [
    h("header", {}, h("h1", {}, "Track anything you can draw a box around"),
      h("p", { className: "lead" }, "Open a clip, drag a box, watch it followed, correct it where it slips, and take the result home. Nothing leaves this machine.")),
  ];
  if (clips.length) parts.push(h("section", {}, h("h2", {}, "Clips"), h("ul", { className: "clips", id: "clips" }, ...clips)));
  parts.push(dropZone(go, studio.upload));
  if (projects.length) parts.push(h("section", {}, h("h2", {}, "Go on with"), h("ul", { className: "clips", id: "projects" }, ...projects)));
  view.replaceChildren(h("div", { className: "home" }, ...parts));
  return { studio, openClip };
}

function dropZone(go, limit) {
  const input = h("input", { type: "file", accept: "video/*,.mkv,.ts,.mts", hidden: true, id: "file", onchange: () => input.files[0] && send(input.files[0]) });
  const bar = h("progress", { max: 1, value: 0, hidden: true, "aria-label": "Upload" });
  const gigabytes = Math.floor(limit / 1e9);
  const zone = h("section", { className: "drop", "aria-label": "Upload a video" },
    h("p", {}, "Drop a video here, or"),
    h("button", { className: "primary", onclick: () => input.click() }, "Choose a video"),
    h("p", { className: "muted" }, gigabytes ? `up to ${gigabytes} GB; it is copied into the studio's folder` : "it is copied into the studio's folder"),
    bar, input);
  const send = async (file) => {
    bar.hidden = false;
    try {
      const found = await upload(file, (share) => (bar.value = share));
      go(found.project);
    } catch (error) {
      toast(error.message);
    } finally {
      bar.hidden = true;
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
