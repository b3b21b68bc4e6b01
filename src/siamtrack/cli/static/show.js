// The page that shows what is tracked, while it is tracked.
import { $ } from "./dom.js";
import { follow, words } from "./progress.js";

// After the load, which pictures without an end would hold up.
addEventListener("load", () => ($("live").src = "/live"));

$("stop").onclick = async () => {
  $("stop").disabled = true;
  await fetch("/api/stop", { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
};

follow((state) => {
  const over = state.state === "done" || state.state === "gone";
  $("title").textContent = over ? "Done" : "Tracking";
  $("facts").textContent = state.name || "";
  $("stop").hidden = over;
  $("progress").hidden = !state.total || over;
  if (state.total) $("progress").value = state.frames / state.total;
  $("after-text").textContent = words(state);
});
