// Starts the module that draws the page; if that fails, words take its place.
import init from "./page.js";
import { keepOffline } from "./offline.js";
import { panicked } from "./panic.js";

// egui keeps the Tab key to itself: Esc gives the focus back to the page.
addEventListener("keydown", ({ key }) => key === "Escape" && document.activeElement?.blur(), true);

// A trap that is no panic, such as memory that ran out, ends the module as well.
const trapped = (error) => error instanceof WebAssembly.RuntimeError && panicked(String(error.stack ?? error));
addEventListener("error", ({ error }) => trapped(error));
addEventListener("unhandledrejection", ({ reason }) => trapped(reason));

// Nothing draws again on a canvas whose context is gone; the browser may give the next page a new one.
document.getElementById("app").addEventListener("webglcontextlost", () => {
  panicked("The graphics context was lost: the driver was reset, or the browser needed its memory.");
});

init({ module_or_path: new URL("page_bg.wasm", import.meta.url) })
  .catch((error) => {
    const status = document.getElementById("status");
    if (status) status.textContent = `The page cannot start here: ${error.message ?? error}`;
  })
  // After the page's own files: the first picture must not wait.
  .finally(keepOffline);
