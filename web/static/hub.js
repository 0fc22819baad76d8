// Opens a T5 in the Hugging Face layout: from the Hub by its id, from a folder of a web server, or from
// files that someone chose. Weights are read by ranges, one tensor at a time, so that a model of a
// gigabyte never lies in memory as a whole. What came over the network is kept (kept.js), so that a
// second visit needs none. Every failure is an Error with a sentence for people; an abort is the
// signal's own reason.
import { keptModels } from "./kept.js";
import { LocalFile, RemoteFile, ask } from "./remote.js";
import { readHeader } from "./safetensors.js";

const HUB = "https://huggingface.co";
const WEIGHTS = "model.safetensors";
const INDEX = `${WEIGHTS}.index.json`;
/// For files that are read as a whole: configuration, tokenizer, index.
const LARGEST_WHOLE = 100_000_000;

/// Opens a source, which is one of
///   { hub: "owner/name" or "owner/name@revision" }, { folder: address }, { files: [File, …] }.
/// `progress` hears the number of bytes each time some have come; `signal` aborts everything later, too.
export async function open(source, { signal, progress = () => {}, kept = keptModels(), host = HUB } = {}) {
  const how = { signal, progress, kept, host };
  if (source.files) return new Model(new Chosen(source.files, how));
  if (source.folder) return new Model(new Folder(source.folder, how));
  return new Model(await Hub.open(parseId(source.hub), how));
}

/// The parts of a model's id, which may also be pasted as the address of its page.
export function parseId(text) {
  const wrong = (why) => new Error(`“${text}” is not the id of a model: ${why}. One looks like google-t5/t5-small.`);
  const plain = String(text ?? "").trim().replace(/^https:\/\/huggingface\.co\//, "").replace(/\/$/, "");
  const [id, revision = "main", ...more] = plain.split("@");
  const names = id.split("/");
  if (names.length !== 2) throw wrong("write it as owner/name");
  const name = /^[A-Za-z0-9_]([A-Za-z0-9_.-]{0,94}[A-Za-z0-9_])?$/;
  if (!names.every((part) => name.test(part) && !/--|\.\./.test(part))) {
    throw wrong("letters, digits and single . _ - are allowed on either side of the /");
  }
  if (more.length || !/^\w([\w./-]*\w)?$/.test(revision) || /\.\.|\/\//.test(revision)) {
    throw wrong("after an @ stands a branch, a tag or a commit");
  }
  return { id, revision };
}

class Model {
  #origin;

  constructor(origin) {
    this.#origin = origin;
    /// What to call it, and the commit where there is one.
    this.name = origin.name;
    this.revision = origin.revision;
  }

  /// A small file as bytes.
  async bytes(name) {
    const file = await this.#origin.file(name);
    const size = await file.size();
    if (size > LARGEST_WHOLE) throw new Error(`${name} of ${this.name} has ${size} bytes, too many for such a file.`);
    return file.whole(LARGEST_WHOLE);
  }

  /// A small file as text.
  async text(name) {
    const bytes = await this.bytes(name);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw new Error(`${name} of ${this.name} is not text in UTF-8.`);
    }
  }

  /// A safetensors file: { name, size, header, metadata, tensors: Map of { dtype, shape, start, end },
  /// read(start, end) }, all offsets from the start of the file.
  async ranges(name) {
    return readHeader(await this.#origin.file(name), `${name} of ${this.name}`);
  }

  /// All weights: one file, or the shards that the index names.
  async weights() {
    if (await this.#origin.has(WEIGHTS)) return [await this.ranges(WEIGHTS)];
    if (!(await this.#origin.has(INDEX))) {
      throw new Error(`${this.name} has no ${WEIGHTS}. Only that format is read; save the model in it and try again.`);
    }
    const shards = [];
    for (const name of shardNames(await this.text(INDEX), this.name)) shards.push(await this.ranges(name));
    return shards;
  }
}

/// The files that an index names; each must lie beside the index.
function shardNames(index, model) {
  let map;
  try {
    map = JSON.parse(index).weight_map;
  } catch {
    // Said below.
  }
  const names = [...new Set(Object.values(map ?? {}))].sort();
  if (!names.length) throw new Error(`${INDEX} of ${model} names no files.`);
  for (const name of names) {
    if (typeof name !== "string" || !/^\w[\w.-]*\.safetensors$/.test(name)) {
      throw new Error(`${INDEX} of ${model} names “${name}”, which is no plain file name.`);
    }
  }
  return names;
}

/// Files that someone chose or dropped.
class Chosen {
  constructor(files, how) {
    this.name = "the chosen files";
    this.files = new Map(Array.from(files, (file) => [file.name, file]));
    this.how = how;
  }

  has = async (name) => this.files.has(name);

  async file(name) {
    const file = this.files.get(name);
    if (file) return new LocalFile(name, file, this.how);
    const names = [...this.files.keys()].join(", ") || "none";
    throw new Error(`${name} is not among the chosen files (${names}). Choose it together with the others.`);
  }
}

/// A folder of a web server. What is kept of a file is its own for as long as the server calls it the same.
class Folder {
  #versions = new Map();

  constructor(address, how) {
    this.address = new URL(`${address}`.replace(/\/?$/, "/"), import.meta.url);
    this.name = this.address.href;
    this.how = how;
  }

  has = async (name) => (await this.#version(name)) !== null;

  async file(name) {
    const version = await this.#version(name);
    if (version === null) throw new Error(`${name} is not in ${this.name}. Check the address.`);
    const { size, tag } = version;
    const at = new URL(name, this.address).href;
    return new RemoteFile(name, at, { ...this.how, size, key: tag && `folder/${at}/${tag}`, place: this.name });
  }

  /// Size and tag of a file, null where there is none; without a network as it was last seen.
  async #version(name) {
    if (!this.#versions.has(name)) this.#versions.set(name, await this.#look(name));
    return this.#versions.get(name);
  }

  async #look(name) {
    const { kept, signal } = this.how;
    const at = new URL(name, this.address).href;
    const last = `folder/${at}/last`;
    let response;
    try {
      response = await ask(at, { method: "HEAD", signal, place: this.name });
    } catch (error) {
      if (error.status === 404) return null;
      const seen = error.unreachable && (await kept.getJson(last));
      if (seen) return seen;
      throw error;
    }
    const length = response.headers.get("Content-Length");
    // An encoding makes the length that of what is sent, which is not that of the file.
    const size = length && !response.headers.get("Content-Encoding") ? Number(length) : undefined;
    const tag = response.headers.get("ETag") ?? response.headers.get("Last-Modified") ?? undefined;
    if (tag) {
      await kept.dropOthers(`folder/${at}/`, tag);
      await kept.putJson(last, { size, tag });
    }
    return { size, tag };
  }
}

/// A model of the Hub at one commit.
class Hub {
  static async open({ id, revision }, how) {
    return new Hub(id, await Hub.#info(id, revision, how), how);
  }

  constructor(id, { commit, sizes }, how) {
    this.name = id;
    this.revision = commit;
    this.sizes = new Map(Object.entries(sizes));
    this.how = how;
  }

  /// Which commit a revision is, and which files that has. A commit never changes: what is kept of it
  /// will do; of a branch it will do while there is no network.
  static async #info(id, revision, { kept, signal, host }) {
    const key = `hub/${id}/@${revision}`;
    const seen = await kept.getJson(key);
    if (seen && seen.commit === revision) return seen;
    const at = `${host}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
    let reply;
    try {
      const response = await ask(at, { signal, place: id });
      reply = await response.json();
    } catch (error) {
      if (seen && error.unreachable) return seen;
      throw error.status ? hubRefusal(error, id, revision) : error;
    }
    const info = Hub.#understood(reply, id);
    await kept.dropOthers(`hub/${id}/`, info.commit);
    await kept.putJson(key, info);
    return info;
  }

  static #understood({ sha, gated, siblings }, id) {
    if (gated) throw new Error(gatedWords(id));
    if (!/^[0-9a-f]{40}$/.test(sha) || !Array.isArray(siblings)) {
      throw new Error(`The Hub answered about ${id} in a way that this page does not know. Reload to get the newest page.`);
    }
    return { commit: sha, sizes: Object.fromEntries(siblings.map(({ rfilename, size }) => [rfilename, size ?? null])) };
  }

  has = async (name) => this.sizes.has(name);

  async file(name) {
    if (!this.sizes.has(name)) throw new Error(`${this.name} has no file ${name}, so it is not a model that this page can read.`);
    const at = `${this.how.host}/${this.name}/resolve/${this.revision}/${encodeURIComponent(name)}`;
    const key = `hub/${this.name}/${this.revision}/${name}`;
    return new RemoteFile(name, at, { ...this.how, size: this.sizes.get(name) ?? undefined, key, place: this.name });
  }
}

const gatedWords = (id) =>
  `${id} is gated: its owner asks for consent first, which this page cannot give. ` +
  "Accept its terms on huggingface.co, download its files and open them here.";

/// The Hub hides what is private behind the same answer as what is not there.
function hubRefusal(error, id, revision) {
  const code = error.code;
  let words = error.message;
  if (code === "GatedRepo" || error.status === 403) words = gatedWords(id);
  else if (code === "RevisionNotFound") words = `${id} has no revision ${revision}. Leave it away to take the newest.`;
  else if (error.status === 401 || error.status === 404) {
    words =
      `The Hub has no public model ${id}. Check the spelling; ` +
      "of a private model, download the files and open them here.";
  }
  return Object.assign(new Error(words), { status: error.status });
}
