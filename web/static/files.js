// Files in and out, the page's address, and words for those who do not see the canvas.

/// Lets the person choose a file: resolves with [name, bytes], or null if none is chosen.
export function pick() {
  const input = document.createElement("input");
  input.type = "file";
  input.accept = ".tsv,.csv,.jsonl,.ndjson,.txt,.tab,.safetensors,.json";
  return new Promise((resolve) => {
    input.oncancel = () => resolve(null);
    input.onchange = async () => {
      const [file] = input.files;
      resolve(file ? [file.name, new Uint8Array(await file.arrayBuffer())] : null);
    };
    input.click();
  });
}

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

/// The page's address without what an adapter's link adds.
export const address = () => location.href.split("#")[0];

/// What the page was opened with behind #.
export const fragment = () => location.hash;

/// Tells a screen reader; the canvas itself is silent.
export function say(words) {
  const live = document.getElementById("live");
  if (live) live.textContent = words;
}
