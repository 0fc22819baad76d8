// Registers the service worker that keeps the page for use without a network, and lets a new build in.

/// A build that arrived during the last visit waits; before anything is done on this page, it may come in.
function letIn(waiting) {
  navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
  waiting.postMessage("take over");
}

/// Whatever stands in the way (no secure address, storage forbidden), the page works all the same.
export async function keepOffline() {
  if (!isSecureContext || !navigator.serviceWorker) return;
  try {
    const known = await navigator.serviceWorker.getRegistration();
    if (known?.waiting) letIn(known.waiting);
    await navigator.serviceWorker.register(new URL("sw.js", import.meta.url), { updateViaCache: "none" });
  } catch (error) {
    console.info(`The page is not kept for use without a network: ${error.message ?? error}`);
  }
}
