// A server on this machine that speaks as the Hub and its content network do, and as worse ones.
import http from "node:http";

/// Serves `files` (path to bytes) until closed. `how.ranges` off answers with whole files only;
/// `how.refuse` maps a path to a function that answers in place of it.
export async function serve(files, how = {}) {
  const asked = [];
  const server = http.createServer((request, response) => {
    const path = decodeURIComponent(request.url);
    asked.push(`${request.method} ${path}${request.headers.range ? ` ${request.headers.range}` : ""}`);
    const refuse = how.refuse?.[path];
    if (refuse) return refuse(request, response);
    const bytes = files[path];
    if (bytes === undefined) return response.writeHead(404).end();
    answer(request, response, Buffer.from(bytes), how);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => (server.closeAllConnections(), new Promise((resolve) => server.close(resolve)));
  return { host: `http://127.0.0.1:${server.address().port}`, asked, close };
}

function answer(request, response, bytes, { ranges = true, tag }) {
  const headers = tag ? { ETag: tag() } : {};
  const range = ranges && request.headers.range?.match(/^bytes=(\d+)-(\d+)$/);
  if (!range) {
    response.writeHead(200, { ...headers, "Content-Length": bytes.length });
    return response.end(request.method === "HEAD" ? undefined : bytes);
  }
  const [start, end] = [Number(range[1]), Number(range[2]) + 1];
  if (start >= bytes.length) return response.writeHead(416).end();
  const part = bytes.subarray(start, end);
  const place = `bytes ${start}-${start + part.length - 1}/${bytes.length}`;
  response.writeHead(206, { ...headers, "Content-Range": place, "Content-Length": part.length });
  response.end(part);
}

/// A server that has the files of a model as the Hub has them: weights by a redirect to elsewhere.
export async function serveHub(id, commit, files, how = {}) {
  const siblings = Object.entries(files).map(([rfilename, { length: size }]) => ({ rfilename, size }));
  const paths = { [`/api/models/${id}/revision/main?blobs=true`]: JSON.stringify({ sha: commit, gated: false, siblings }) };
  const refuse = { ...how.refuse };
  for (const [name, bytes] of Object.entries(files)) {
    paths[`/cdn/${name}`] = bytes;
    refuse[`/${id}/resolve/${commit}/${name}`] ??= (_, response) => response.writeHead(302, { Location: `/cdn/${name}` }).end();
  }
  paths[`/api/models/${id}/revision/${commit}?blobs=true`] = paths[`/api/models/${id}/revision/main?blobs=true`];
  return serve(paths, { ...how, refuse });
}

/// A safetensors file of some F32 tensors by name; each is filled with its own number.
export function safetensors(tensors) {
  let at = 0;
  const header = { __metadata__: { format: "pt" } };
  const data = [];
  for (const [name, [value, length]] of Object.entries(tensors)) {
    header[name] = { dtype: "F32", shape: [length], data_offsets: [at, (at += 4 * length)] };
    data.push(Buffer.from(new Float32Array(length).fill(value).buffer));
  }
  return withHeader(JSON.stringify(header), Buffer.concat(data));
}

export function withHeader(json, data = Buffer.alloc(0), length = Buffer.byteLength(json)) {
  const size = Buffer.alloc(8);
  size.writeBigUInt64LE(BigInt(length));
  return Buffer.concat([size, Buffer.from(json), data]);
}

/// What kept.js does, in memory.
export function keptInMemory() {
  const map = new Map();
  return {
    map,
    get: async (key) => map.get(key),
    put: async (key, value) => void map.set(key, value),
    getJson: async (key) => (map.has(key) ? JSON.parse(map.get(key)) : undefined),
    putJson: async (key, value) => void map.set(key, JSON.stringify(value)),
    dropOthers: async (prefix, version) => {
      for (const key of map.keys()) if (key.startsWith(prefix) && !key.startsWith(`${prefix}${version}/`)) map.delete(key);
    },
  };
}
