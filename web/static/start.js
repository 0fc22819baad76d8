// Starts the module that draws the page; if that fails, words take its place.
import init from "./page.js";

// egui keeps the Tab key to itself: Esc gives the focus back to the page.
addEventListener("keydown", ({ key }) => key === "Escape" && document.activeElement?.blur(), true);

init({ module_or_path: new URL("page_bg.wasm", import.meta.url) }).catch((error) => {
  const status = document.getElementById("status");
  if (status) status.textContent = `The page cannot start here: ${error.message ?? error}`;
});
