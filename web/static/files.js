// Files in and out, the page's address, and words for those who do not see the canvas.

/// The files that the person chooses, none if they change their mind.
function choose(accept, multiple) {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", accept, multiple });
  return new Promise((resolve) => {
    input.oncancel = () => resolve([]);
    input.onchange = () => resolve([...input.files]);
    input.click();
  });
}

/// Lets the person choose a file: resolves with [name, bytes], or null if none is chosen.
export async function pick() {
  const [file] = await choose(".tsv,.csv,.jsonl,.ndjson,.txt,.tab,.safetensors,.json", false);
  return file ? [file.name, new Uint8Array(await file.arrayBuffer())] : null;
}

/// Files of a base, for the trainer, which reads them by ranges.
let base = [];

/// Lets the person choose config.json, tokenizer.json and the weights; resolves with whether they did.
export async function pickBase() {
  const files = await choose(".json,.safetensors", true);
  if (files.length) base = files;
  return files.length > 0;
}

/// What was chosen last.
export const chosenBase = () => base;

/// Gives the person a file.
export function save(name, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  // Browsers read the bytes after the click; a minute is ample.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/// Gives the person a picture as PNG, twice as fine as its SVG says.
export async function savePicture(name, svg) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), {
    width: 2 * image.width,
    height: 2 * image.height,
  });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) throw new Error("This browser cannot make a PNG; save the plot as SVG.");
  save(name, new Uint8Array(await blob.arrayBuffer()));
}

/// The page's address without what an adapter's link adds.
export const address = () => location.href.split("#")[0];

/// What the page was opened with behind #.
export const fragment = () => location.hash;

/// Tells a screen reader; the canvas itself is silent.
export function say(words) {
  const live = document.getElementById("live");
  if (live) live.textContent = words;
}
