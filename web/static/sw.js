// Keeps this build for use without a network. `cargo xtask web` writes two constants above this text:
// BUILD, the build's hash, and FILES, the hash of each of its files. They make a new build known (the
// browser compares this script) and whole: it is shown once every file of it has arrived, or not at all.

const OURS = "compacter-build-";
const CACHE = OURS + BUILD;
const scope = () => new URL(registration.scope);

/// Where a file is kept: its hash is part of the address, so that builds may share what did not change.
const address = (name) => new URL(`${name}?${FILES[name]}`, scope()).href;

async function sha256(bytes) {
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/// The file from the network, as it was built. A page that is being published half by half does not pass.
async function fetched(name) {
  const response = await fetch(new URL(name, scope()), { cache: "no-cache" });
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  const bytes = await response.arrayBuffer();
  if ((await sha256(bytes)) !== FILES[name]) throw new Error(`${name} is not the file of this build`);
  // A new response: one that came by a redirect may not answer for a page, and its encoding is undone.
  return new Response(bytes, { headers: { "Content-Type": response.headers.get("Content-Type") ?? "" } });
}

/// One file after the other: the page that is open may be fetching what it needs at the same time.
async function install() {
  const cache = await caches.open(CACHE);
  for (const name of Object.keys(FILES)) {
    const at = address(name);
    // From this build, if an earlier attempt broke off, or from an older one.
    const kept = await caches.match(at);
    await cache.put(at, kept ?? (await fetched(name)));
  }
}

/// The older builds go. Models that the page keeps lie in caches of other names.
async function activate() {
  const names = await caches.keys();
  const older = names.filter((name) => name.startsWith(OURS) && name !== CACHE);
  await Promise.all(older.map((name) => caches.delete(name)));
  await clients.claim();
}

/// The name in FILES that an address stands for; nothing for what is not of this page.
function nameOf(url) {
  const { origin, pathname } = scope();
  if (url.origin !== origin || !url.pathname.startsWith(pathname)) return undefined;
  const name = url.pathname.slice(pathname.length) || "index.html";
  return Object.hasOwn(FILES, name) ? name : undefined;
}

/// A file that the browser threw away for want of space comes from the network again.
async function answer(name, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(address(name))) ?? fetch(request);
}

/// Takes over at once where no other tab would be left with files of two builds.
async function takeOver() {
  const tabs = await clients.matchAll({ type: "window", includeUncontrolled: true });
  if (tabs.length <= 1) await skipWaiting();
}

addEventListener("install", (event) => event.waitUntil(install()));
addEventListener("activate", (event) => event.waitUntil(activate()));
addEventListener("message", (event) => {
  if (event.data === "take over") event.waitUntil(takeOver());
});
addEventListener("fetch", (event) => {
  const { request } = event;
  const name = request.method === "GET" ? nameOf(new URL(request.url)) : undefined;
  if (name) event.respondWith(answer(name, request));
});
