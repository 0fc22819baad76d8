// Files that are read in parts: of a web server by HTTP ranges, or from the disk of the person.

/// Asks a server; what it refuses, and what does not arrive, is said in words. Such an error has the
/// `status` of the answer and the Hub's `code`, or is `unreachable`.
export async function ask(url, { method = "GET", headers, signal, place }) {
  let response;
  try {
    // What is worth keeping is kept by us; the browser's own cache would hold it a second time.
    response = await fetch(url, { method, headers, signal, cache: "no-store" });
  } catch (error) {
    signal?.throwIfAborted();
    throw Object.assign(new Error(unreachable(new URL(url).host, place), { cause: error }), { unreachable: true });
  }
  if (response.ok) return response;
  const { status } = response;
  const code = response.headers.get("X-Error-Code");
  throw Object.assign(new Error(refusal(status, code, url, place)), { status, code });
}

function unreachable(host, place) {
  if (globalThis.navigator?.onLine === false) {
    return `You are offline, and this browser has not kept all of ${place}. Connect and try again.`;
  }
  return (
    `${host} did not answer, or does not let this page read what it has. ` +
    "Check the connection; of a server of your own, allow it by the header Access-Control-Allow-Origin."
  );
}

function refusal(status, code, url, place) {
  const name = decodeURIComponent(new URL(url).pathname.split("/").pop());
  if (code === "GatedRepo" || status === 401 || status === 403) {
    return `${place} needs permission, which this page cannot ask for (${status}). Download its files and open them here.`;
  }
  if (status === 404) return `${name} is not in ${place}.`;
  if (status === 416) return `${name} of ${place} is shorter than its own header says. It may have been uploaded in part.`;
  if (status === 429) return `${new URL(url).host} asks to wait, since many requests came from here. Try again in some minutes.`;
  if (status >= 500) return `${new URL(url).host} has trouble at the moment (${status}). Try again later.`;
  return `${new URL(url).host} refuses to give ${name} of ${place} (${status}).`;
}

/// A file on the person's own disk.
export class LocalFile {
  constructor(name, blob, { signal, progress }) {
    Object.assign(this, { name, blob, signal, progress });
  }

  size = async () => this.blob.size;

  async read(start, end) {
    this.signal?.throwIfAborted();
    const bytes = new Uint8Array(await this.blob.slice(start, end).arrayBuffer());
    this.progress(bytes.length);
    return bytes;
  }

  whole = () => this.read(0, this.blob.size);
}

/// A file of a server; parts that have a key are kept and not asked for again.
export class RemoteFile {
  /// The whole file, once the server has shown that it gives no parts.
  #all = null;
  #size;

  constructor(name, url, { size, key, place, kept, signal, progress }) {
    Object.assign(this, { name, url, key, place, kept, signal, progress });
    this.#size = size;
  }

  /// The number of bytes, undefined where the server does not tell.
  size = async () => this.#size;

  async whole(limit) {
    return this.#keeping("all", this.#size, async () => {
      const response = await ask(this.url, this.#how());
      return this.#drain(response, limit);
    });
  }

  async read(start, end) {
    return this.#keeping(`${start}-${end}`, end - start, () => this.#fetched(start, end));
  }

  /// What is kept, if it has the right length, else what `get` brings.
  async #keeping(part, length, get) {
    this.signal?.throwIfAborted();
    const key = this.key && `${this.key}/${part}`;
    const had = key && (await this.kept.get(key));
    if (had && (length === undefined || had.length === length)) {
      this.progress(had.length);
      return had;
    }
    const bytes = await get();
    if (key) await this.kept.put(key, bytes);
    return bytes;
  }

  async #fetched(start, end) {
    const response = this.#all ? null : await this.#part(start, end);
    if (response?.status === 206) {
      this.#note(response, start);
      const bytes = await this.#drain(response, end - start);
      if (bytes.length === end - start) return bytes;
      throw new Error(`The connection ended in the middle of ${this.name} of ${this.place}. Try again; it goes on from there.`);
    }
    // The browser keeps a blob of this size on the disk. A server may give nothing but the whole file.
    this.#all ??= this.#counted(response);
    const blob = await this.#all;
    this.#size = blob.size;
    if (end > blob.size) throw new Error(`${this.name} of ${this.place} ends before byte ${end}. It may have been uploaded in part.`);
    return new Uint8Array(await blob.slice(start, end).arrayBuffer());
  }

  async #part(start, end) {
    try {
      return await ask(this.url, { ...this.#how(), headers: { Range: `bytes=${start}-${end - 1}` } });
    } catch (error) {
      // A server may refuse ranges to other sites' pages by not answering, and give the file all the same.
      if (error.unreachable) return ask(this.url, this.#how());
      throw error;
    }
  }

  #how = () => ({ signal: this.signal, place: this.place });

  /// Other sites' headers may be hidden; what can be seen must fit.
  #note(response, start) {
    const range = response.headers.get("Content-Range")?.match(/^bytes (\d+)-\d+\/(\d+|\*)$/);
    if (!range) return;
    if (Number(range[1]) !== start) throw new Error(`${new URL(this.url).host} sent another part of ${this.name} than was asked for.`);
    if (range[2] !== "*") this.#size ??= Number(range[2]);
  }

  /// The body as bytes; more than `limit` is not taken.
  async #drain(response, limit) {
    const parts = [];
    let length = 0;
    for await (const part of this.#stream(response)) {
      length += part.length;
      if (length > limit) throw new Error(`${this.name} of ${this.place} is longer than the ${limit} bytes it may have here.`);
      parts.push(part);
      this.progress(part.length);
    }
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  async *#stream(response) {
    const reader = response.body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        yield value;
      }
    } catch (error) {
      this.signal?.throwIfAborted();
      const words = `The connection ended in the middle of ${this.name} of ${this.place}. Try again.`;
      throw Object.assign(new Error(words, { cause: error }), { unreachable: true });
    } finally {
      // Ends the transfer where the reader was left before its end.
      reader.cancel().catch(() => {});
    }
  }

  async #counted(response) {
    const stream = this.#stream(response);
    const counted = new ReadableStream({
      pull: async (controller) => {
        const { done, value } = await stream.next();
        if (done) return controller.close();
        this.progress(value.length);
        controller.enqueue(value);
      },
    });
    try {
      return await new Response(counted).blob();
    } catch (error) {
      // So that the next attempt asks again.
      this.#all = null;
      throw error;
    }
  }
}
