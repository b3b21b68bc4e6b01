// The service worker: it keeps the page's files, and isolates the page.

const RELOADED = "siamtrack reloaded";

/**
 * Load the page again, once, where a service worker can isolate it: then it may use threads.
 *
 * @returns Whether the page is on its way out.
 */
export async function isolate(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false;
  try {
    await navigator.serviceWorker.register("sw.js");
    if (crossOriginIsolated || sessionStorage.getItem(RELOADED)) return false;
    sessionStorage.setItem(RELOADED, "yes");
    await navigator.serviceWorker.ready;
    location.reload();
    return true;
  } catch {
    return false; // a private window, or a host that is not secure: one thread, and no offline use
  }
}

/** Let the service worker fetch what it has not kept yet. */
export function keepOffline(): void {
  if (!("serviceWorker" in navigator)) return;
  void navigator.serviceWorker.ready.then(({ active }) => active?.postMessage("keep"));
}
