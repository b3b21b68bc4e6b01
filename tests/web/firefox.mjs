// Boxes and states of the module in Firefox, by its own remote protocol, against what Python recorded.
// node firefox.mjs BUILT CLIP
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { blank, ISOLATED, serve } from "./browser.mjs";
import { about, apart } from "./frames.mjs";

const [, , built, clip] = process.argv;
const told = about(clip);
const more = (name) => (name.startsWith("/frames/") ? fs.readFileSync(path.join(clip, `${path.basename(name)}.rgb`)) : blank(name));
const host = await serve(path.join(built, "dist"), { more, headers: ISOLATED });
const home = fs.mkdtempSync(path.join(os.tmpdir(), "firefox-"));
const free = await new Promise((resolve) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});
fs.writeFileSync(path.join(home, "user.js"), `user_pref("marionette.port", ${free});\nuser_pref("app.update.enabled", false);\n`);
const firefox = spawn(process.env.FIREFOX || "firefox", ["--headless", "--marionette", "--no-remote", "--profile", home], { stdio: "ignore" });
try {
  const ask = await connect(free);
  await ask("WebDriver:NewSession", {});
  await ask("WebDriver:SetTimeouts", { script: 600000, pageLoad: 120000 });
  await ask("WebDriver:Navigate", { url: `${host.address}blank.html` });
  const script = `const [told, done] = arguments; (${run})(told).then(done, (error) => done({ fault: String(error) }));`;
  const { value } = await ask("WebDriver:ExecuteAsyncScript", { script, args: [told], newSandbox: false });
  if (value.fault) throw new Error(value.fault);
  const each = value.tracks.map((tracks, k) => apart(tracks, told.tracks[k]));
  console.log(JSON.stringify({
    engine: value.engine,
    isolated: value.isolated,
    pixels: Math.max(...each.map((one) => one.pixels)),
    states: each.reduce((sum, one) => sum + one.states, 0),
  }));
} finally {
  firefox.kill("SIGKILL");
  await host.close();
  fs.rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}

// Runs in the page.
async function run(told) {
  const { Siamtrack } = await import("/siamtrack.js");
  const tracker = await Siamtrack.load({ threads: 1, backend: "wasm" });
  const tracks = [];
  for (let k = 0; k < told.count; k++) {
    const rgb = new Uint8Array(await (await fetch(`/frames/${k}`)).arrayBuffer());
    const image = new ImageData(told.width, told.height);
    for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
      image.data.set(rgb.subarray(from, from + 3), to);
      image.data[to + 3] = 255;
    }
    tracks.push([k ? await tracker.update(image) : await tracker.init(image, told.boxes[0][1])]);
  }
  return { tracks, engine: tracker.engine, isolated: crossOriginIsolated };
}

// Marionette: lengths and JSON over a socket, one answer for each order.
async function connect(port) {
  let socket;
  for (let k = 0; ; k++) {
    socket = net.connect(port, "127.0.0.1");
    const open = await new Promise((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    if (open) break;
    if (k > 600) throw new Error("firefox does not listen");
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const waiting = new Map();
  let [text, orders] = [Buffer.alloc(0), 0];
  socket.on("data", (part) => {
    text = Buffer.concat([text, part]);
    for (let at; (at = text.indexOf(":")) > 0; ) {
      const length = Number(text.subarray(0, at));
      if (text.length < at + 1 + length) return;
      const message = JSON.parse(text.subarray(at + 1, at + 1 + length));
      text = text.subarray(at + 1 + length);
      if (!Array.isArray(message)) continue; // its greeting
      const [, id, error, value] = message;
      const { resolve, reject } = waiting.get(id);
      if (error) reject(new Error(error.message));
      else resolve(value);
    }
  });
  return (name, parameters) =>
    new Promise((resolve, reject) => {
      const order = JSON.stringify([0, ++orders, name, parameters]);
      waiting.set(orders, { resolve, reject });
      socket.write(`${Buffer.byteLength(order)}:${order}`);
    });
}
