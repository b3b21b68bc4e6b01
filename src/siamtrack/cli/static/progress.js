// How far the command is, asked for twice a second until it ends.

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function follow(show) {
  let last = null;
  for (;;) {
    try {
      const answer = await fetch("/api/state");
      if (answer.ok) show((last = await answer.json()));
      if (last?.state === "done") return;
    } catch {
      show({ ...(last || {}), state: "gone" });
      return;
    }
    await wait(400);
  }
}

export function words(state) {
  const count = state.total ? `${state.frames} of ${state.total} frames` : `${state.frames} frames`;
  const speed = state.speed ? `, ${Math.round(state.speed)} frames/s` : "";
  if (state.state === "gone") return "The command has ended. Its last lines are in the terminal.";
  if (state.state === "done") return [state.text, "You can close this page."].filter(Boolean).join(" ");
  return count + speed;
}
