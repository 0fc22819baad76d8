// The page's last resort: once its module has panicked, these words stand in place of the canvas. Nothing
// here touches the module's instance, which is dead by then; what is saved is read from the store.
import { clear, get } from "./store.js";
import { endTrainer } from "./trainer-link.js";

const STATE = "state";
const DELETE =
  "Delete everything this page keeps in this browser, all runs among it? This cannot be undone.";

const element = (id) => document.getElementById(id);

/// A state as bytes, whether it was kept as text or as bytes.
const size = (state) => new Blob([state]).size;

async function tellWhatIsSaved() {
  const words = element("panic-saved");
  try {
    const state = await get(STATE);
    element("panic-save").hidden = state === undefined;
    words.textContent =
      state === undefined
        ? "No runs were saved in this browser. Reload to begin again."
        : `Your runs are saved in this browser (${Math.ceil(size(state) / 1024)}\u202fKB), as far as they had come when they were last written. ` +
          "Reload to go on with them. If the page stops again at once, save the runs as a file and start afresh.";
  } catch (error) {
    element("panic-save").hidden = true;
    words.textContent = error.message;
  }
}

async function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([await get(STATE)], { type: "application/json" }));
  link.download = "compacter-runs.json";
  link.click();
  // The download has its own hold on the data only after a while.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function startAfresh() {
  if (!confirm(DELETE)) return;
  await clear();
  location.reload();
}

/// Lets a button do something; what goes wrong is said beside the buttons.
function button(id, action) {
  element(id).onclick = async () => {
    try {
      await action();
    } catch (error) {
      element("panic-saved").textContent = error.message;
    }
  };
}

/// Shows that the page has stopped, with what the program said; the first reason stays.
export function panicked(reason) {
  const page = element("panic");
  if (!page?.hidden) return;
  endTrainer();
  element("app")?.remove();
  element("status")?.remove();
  element("panic-reason").textContent = reason;
  button("panic-save", save);
  button("panic-reload", () => location.reload());
  button("panic-afresh", startAfresh);
  page.hidden = false;
  element("panic-title").focus();
  tellWhatIsSaved();
}
