// Keeps the page's files for when there is no network, and isolates the page, so that it may use
// threads: both need no setting of the host.
declare const VERSION: string;
declare const FILES: string[];
declare const POLICY: string;

interface Extendable extends Event {
  waitUntil(done: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  request: Request;
  respondWith(answer: Promise<Response>): void;
}

interface Scope {
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
  registration: { scope: string };
}

const scope = self as unknown as Scope;
const NAME = `siamtrack ${VERSION}`;

self.addEventListener("install", (event) => (event as Extendable).waitUntil(scope.skipWaiting()));

self.addEventListener("activate", (event) => {
  const ours = async (): Promise<void> => {
    for (const name of await caches.keys()) {
      if (name.startsWith("siamtrack ") && name !== NAME) await caches.delete(name);
    }
    await scope.clients.claim();
  };
  (event as Extendable).waitUntil(ours());
});

// The page asks for it once it works, so that this never delays it
self.addEventListener("message", (event) => {
  if ((event as MessageEvent).data === "keep") (event as unknown as Extendable).waitUntil(keepAll());
});

self.addEventListener("fetch", (event) => {
  const { request } = event as Fetching;
  const own = request.url.startsWith(scope.registration.scope);
  if (request.method === "GET" && own) (event as Fetching).respondWith(answer(event as Fetching));
});

async function keepAll(): Promise<void> {
  const cache = await caches.open(NAME);
  for (const file of FILES) {
    const url = new URL(file, scope.registration.scope).href;
    if (!(await cache.match(url))) await cache.put(url, isolated(await fetched(url)));
  }
}

async function answer(event: Fetching): Promise<Response> {
  const { request } = event;
  const cache = await caches.open(NAME);
  const url = request.url.split(/[?#]/)[0];
  const kept = await cache.match(url);
  if (kept) return kept;
  const found = isolated(await fetched(request));
  if (found.ok) event.waitUntil(cache.put(url, found.clone())); // the page does not wait for that
  return found;
}

async function fetched(request: Request | string): Promise<Response> {
  const found = await fetch(request);
  if (!found.ok && typeof request === "string") throw new Error(`${request}: ${found.status}`);
  return found;
}

function isolated(found: Response): Response {
  const headers = new Headers(found.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  headers.set("Cross-Origin-Resource-Policy", "same-origin");
  headers.set("Content-Security-Policy", POLICY);
  // What the browser unpacked is no longer packed
  for (const name of ["Content-Encoding", "Content-Length"]) headers.delete(name);
  const { status, statusText } = found;
  return new Response(found.body, { status, statusText, headers });
}
