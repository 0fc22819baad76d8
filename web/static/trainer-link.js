// The page's way to the trainer's worker.

let worker = null;

/// Starts the worker. It is started by way of a script of the page's own making, since such a worker
/// takes over the page's content security policy; one that comes from a file would have the policy of
/// that file's headers, which a static host does not send.
export function startTrainer() {
  const script = `import ${JSON.stringify(new URL("trainer-worker.js", import.meta.url).href)};`;
  const url = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
  worker = new Worker(url, { type: "module" });
  // The worker says something as soon as its scripts are there; until then the address is needed.
  const loaded = () => URL.revokeObjectURL(url);
  worker.addEventListener("message", loaded, { once: true });
  return worker;
}

/// Ends the worker that was started last: a page that has stopped hears no report.
export function endTrainer() {
  worker?.terminate();
  worker = null;
}
