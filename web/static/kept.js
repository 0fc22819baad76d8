// Parts of models that came over the network, kept by key in the browser's Cache API. It keeps whole
// answers only, so each part is an answer of its own, under an address that no server has.

const CACHE = "compacter-models";
const address = (key) => new URL(encodeURI(key).replace(/[?#]/g, encodeURIComponent), "https://models.invalid/x/").href;

/// Keeps nothing: for pages at plain http addresses, where browsers offer no caches.
export const keepsNothing = {
  get: async () => undefined,
  put: async () => {},
  getJson: async () => undefined,
  putJson: async () => {},
  dropOthers: async () => {},
};

/// Whether models can be kept is the browser's affair: without it they are fetched anew.
const trying = (what) => what.catch((error) => void console.info(`This model is not kept: ${error.message ?? error}`));

class Kept {
  #cache = caches.open(CACHE);

  async #match(key) {
    return (await this.#cache).match(address(key));
  }

  get = (key) =>
    trying((async () => {
      const response = await this.#match(key);
      return response && new Uint8Array(await response.arrayBuffer());
    })());

  put = (key, value) => trying((async () => (await this.#cache).put(address(key), new Response(value)))());

  getJson = (key) => trying((async () => (await this.#match(key))?.json())());

  putJson = (key, value) => this.put(key, JSON.stringify(value));

  /// Forgets every key under `prefix` but those of one version, so that no older one stays for ever.
  dropOthers = (prefix, version) =>
    trying((async () => {
      const cache = await this.#cache;
      const [under, ours] = [address(prefix), address(`${prefix}${version}/`)];
      const others = (await cache.keys()).filter(({ url }) => url.startsWith(under) && !url.startsWith(ours));
      await Promise.all(others.map((request) => cache.delete(request)));
    })());
}

/// The browser's own store of models.
export const keptModels = () => (globalThis.caches ? new Kept() : keepsNothing);
