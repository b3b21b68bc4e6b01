// A host of static files, as plain as one can be: no headers beyond the type, unless told. `bent` maps a
// path to what happens to its bytes, or to null where it is not there; `more` gives what is in no file.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";

const TYPES = { html: "text/html", js: "text/javascript", mjs: "text/javascript", css: "text/css", svg: "image/svg+xml", gz: "application/gzip", webmanifest: "application/manifest+json" };

export async function serve(folder, { bent = {}, headers = {}, more = () => null } = {}) {
  const asked = [];
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url, "http://x").pathname).replace(/\/$/, "/index.html");
    const file = path.join(folder, name);
    asked.push(name);
    const extra = more(name);
    if (extra) return response.writeHead(200, headers).end(extra);
    if (!file.startsWith(folder) || !fs.existsSync(file) || bent[name] === null) {
      return response.writeHead(404).end();
    }
    const bytes = fs.readFileSync(file);
    const type = TYPES[name.split(".").pop()] || "application/octet-stream";
    response.writeHead(200, { "content-type": type, "cache-control": "no-cache", ...headers });
    response.end(bent[name] ? bent[name](bytes) : bytes);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}/`, asked, bent, close: () => new Promise((done) => { server.closeAllConnections(); server.close(done); }) };
}

export const ISOLATED = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
