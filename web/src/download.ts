// Files that come with this: fetched, unpacked and verified by their hash.
import type { FileInfo } from "./settings.js";

const GZIP = [0x1f, 0x8b];

/** Fetch a file, which a server may pack or leave packed, and verify it. */
export async function download(url: URL, info: FileInfo, name: string): Promise<Uint8Array> {
  const again = "reload the page, or build it again with `make web`";
  let data: Uint8Array<ArrayBuffer>;
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    data = new Uint8Array(await answer.arrayBuffer());
    if (data[0] === GZIP[0] && data[1] === GZIP[1]) data = await unpacked(data);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${name} cannot be downloaded (${reason}): ${again}`);
  }
  if (data.length !== info.bytes || (await sha256(data)) !== info.sha256) {
    await forget(url);
    throw new Error(
      `${name} is damaged (its hash differs from the one that this page was built with): ${again}`,
    );
  }
  return data;
}

/** Let no cache of a service worker give it again. */
async function forget(url: URL): Promise<void> {
  for (const name of await globalThis.caches?.keys() ?? []) {
    await (await caches.open(name)).delete(url.href);
  }
}

async function unpacked(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Return the hash. @throws Error where the page is not secure: the browser then offers none. */
async function sha256(data: Uint8Array<ArrayBuffer>): Promise<string> {
  if (!globalThis.crypto?.subtle) {
    throw new Error(
      "this page is not served securely, so that its model cannot be verified: open it by https, " +
        "or on localhost",
    );
  }
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
