// Talking to the server. Nothing else is ever asked for anything.

async function answer(response) {
  const type = response.headers.get("content-type") || "";
  const value = type.includes("json") ? await response.json() : { error: await response.text() };
  if (response.ok) return value;
  throw Object.assign(new Error(value.error || `the server says ${response.status}`), { status: response.status });
}

export const get = async (path) => answer(await fetch(path));

export const post = async (path, value) =>
  answer(
    await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(value),
    }),
  );

export const remove = async (path) => answer(await fetch(path, { method: "DELETE" }));

// fetch tells nothing about how far an upload is; this does.
export function upload(file, progress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/uploads?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(1, event.total));
    request.onerror = () => reject(new Error("the upload broke off"));
    request.onabort = () => reject(new Error("the upload was canceled"));
    signal.addEventListener("abort", () => request.abort());
    request.onload = () => {
      let value = {};
      try {
        value = JSON.parse(request.responseText);
      } catch {
        value = { error: request.responseText };
      }
      if (request.status === 200) resolve(value);
      else reject(new Error(value.error || `the server says ${request.status}`));
    };
    request.send(file);
  });
}

export const socketAddress = (path) =>
  `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;

// News of a project. Comes back by itself when the server was away.
export class Live {
  constructor(project, onMessage, onState) {
    this.path = `/api/projects/${project}/live`;
    this.onMessage = onMessage;
    this.onState = onState;
    this.wait = 300;
    this.open();
  }

  open() {
    this.socket = new WebSocket(socketAddress(this.path));
    this.socket.onopen = () => {
      this.wait = 300;
      this.onState(true);
    };
    this.socket.onmessage = (event) => this.onMessage(JSON.parse(event.data));
    this.socket.onclose = () => {
      if (this.closed) return;
      this.onState(false);
      setTimeout(() => this.closed || this.open(), this.wait);
      this.wait = Math.min(5000, this.wait * 2);
    };
  }

  close() {
    this.closed = true;
    this.socket.close();
  }
}
