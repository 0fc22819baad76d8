// `node --test web/tests/`: models from the Hub, from a folder, from files, against a server of our own.
import assert from "node:assert/strict";
import test from "node:test";
import { open, parseId } from "../static/hub.js";
import { keepsNothing } from "../static/kept.js";
import { keptInMemory, safetensors, serve, serveHub, withHeader } from "./server.mjs";

const ID = "owner/tiny-t5";
const COMMIT = "0123456789abcdef0123456789abcdef01234567";
const WEIGHTS = safetensors({ shared: [1, 1000], "lm_head.weight": [2, 3] });
const FILES = { "config.json": '{"d_model": 2}', "tokenizer.json": "{}", "model.safetensors": WEIGHTS };

/// A server for the length of a test.
async function started(context, starting) {
  const server = await starting;
  context.after(server.close);
  return server;
}

const hub = (context, how, files = FILES) => started(context, serveHub(ID, COMMIT, files, how));
const openHub = (server, more = {}) => open({ hub: ID }, { kept: keepsNothing, host: server.host, ...more });

async function tensor(weights, name) {
  const { start, end } = weights.tensors.get(name);
  const bytes = await weights.read(start, end);
  return Array.from(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4));
}

test("ids of models", () => {
  assert.deepEqual(parseId("google-t5/t5-small"), { id: "google-t5/t5-small", revision: "main" });
  assert.deepEqual(parseId(" a/b.c_d@refs/pr/1 "), { id: "a/b.c_d", revision: "refs/pr/1" });
  assert.deepEqual(parseId("https://huggingface.co/a/b/"), { id: "a/b", revision: "main" });
  for (const wrong of ["", undefined, "t5-small", "a/b/c", "../b", "a/..", "a/b--c", "-a/b", "a/b@", "a/b@../x", "a/b@x@y", "a/b?x", "a/ b"]) {
    assert.throws(() => parseId(wrong), /is not the id of a model/, String(wrong));
  }
});

test("a model of the Hub is read by ranges, and every byte is told once", async (context) => {
  const server = await hub(context);
  let told = 0;
  const model = await openHub(server, { progress: (bytes) => (told += bytes) });
  assert.equal(model.revision, COMMIT);
  assert.equal(await model.text("config.json"), FILES["config.json"]);
  const [weights] = await model.weights();
  assert.equal(weights.size, WEIGHTS.length);
  assert.deepEqual(Buffer.from(weights.header), WEIGHTS.subarray(0, weights.header.length));
  assert.deepEqual(weights.metadata, { format: "pt" });
  assert.deepEqual(await tensor(weights, "lm_head.weight"), [2, 2, 2]);
  assert.deepEqual(new Set(await tensor(weights, "shared")), new Set([1]));
  assert.equal(told, FILES["config.json"].length + WEIGHTS.length);
  const parts = server.asked.filter((line) => line.includes("/cdn/model.safetensors"));
  assert.equal(parts.length, 4);
  assert.ok(parts.every((line) => / bytes=\d+-\d+$/.test(line)), parts.join());
});

test("a second visit asks only whether the branch has moved, and works without a network", async (context) => {
  const server = await hub(context);
  const kept = keptInMemory();
  const visit = async () => {
    const model = await openHub(server, { kept });
    const [weights] = await model.weights();
    return [await model.text("config.json"), await tensor(weights, "lm_head.weight")];
  };
  const first = await visit();
  server.asked.length = 0;
  assert.deepEqual(await visit(), first);
  assert.deepEqual(server.asked, [`GET /api/models/${ID}/revision/main?blobs=true`]);
  await server.close();
  assert.deepEqual(await visit(), first);
});

test("a commit is asked about once, and a newer one takes the place of the older", async (context) => {
  const server = await hub(context);
  const kept = keptInMemory();
  const pinned = () => open({ hub: `${ID}@${COMMIT}` }, { kept, host: server.host });
  await (await pinned()).text("config.json");
  server.asked.length = 0;
  await (await pinned()).text("config.json");
  assert.deepEqual(server.asked, []);

  const newer = COMMIT.replaceAll("0", "f");
  const moved = await started(context, serveHub(ID, newer, { ...FILES, "config.json": "newer" }));
  const model = await open({ hub: ID }, { kept, host: moved.host });
  assert.equal(await model.text("config.json"), "newer");
  assert.ok([...kept.map.keys()].every((key) => !key.includes(COMMIT)), [...kept.map.keys()].join());
});

test("a server without ranges gives the file once, in whatever order it is read", async (context) => {
  const server = await hub(context, { ranges: false });
  let told = 0;
  const model = await openHub(server, { progress: (bytes) => (told += bytes) });
  const weights = await model.ranges("model.safetensors");
  assert.deepEqual(await tensor(weights, "lm_head.weight"), [2, 2, 2]);
  assert.equal((await tensor(weights, "shared")).length, 1000);
  assert.equal(server.asked.filter((line) => line.startsWith("GET /cdn/model")).length, 1);
  assert.equal(told, WEIGHTS.length);
});

test("a server that does not answer to ranges may still give the file", async (context) => {
  const refuse = {
    "/cdn/model.safetensors": (request, response) =>
      request.headers.range ? request.socket.destroy() : response.end(WEIGHTS),
  };
  const weights = await (await openHub(await hub(context, { refuse }))).ranges("model.safetensors");
  assert.deepEqual(await tensor(weights, "lm_head.weight"), [2, 2, 2]);
});

const status = (code, headers = {}) => (_, response) => response.writeHead(code, headers).end();

test("what the Hub refuses is said in words", async (context) => {
  for (const [answer, words] of [
    [status(401, { "X-Error-Code": "RepoNotFound" }), /no public model owner\/tiny-t5.*spelling/],
    [status(404), /no public model/],
    [status(404, { "X-Error-Code": "RevisionNotFound" }), /no revision main/],
    [status(403, { "X-Error-Code": "GatedRepo" }), /gated.*Accept its terms/],
    [status(429), /asks to wait/],
    [status(503), /has trouble.*503/],
    [(_, response) => response.end(JSON.stringify({ sha: COMMIT, gated: "manual", siblings: [] })), /gated/],
    [(_, response) => response.end(JSON.stringify({ sha: "main" })), /does not know/],
  ]) {
    const refuse = { [`/api/models/${ID}/revision/main?blobs=true`]: answer };
    await assert.rejects(openHub(await hub(context, { refuse })), words);
  }
});

test("what happens on the way to a file is said in words", async (context) => {
  const path = `/${ID}/resolve/${COMMIT}/model.safetensors`;
  for (const [answer, words] of [
    [status(403), /needs permission.*403/],
    [status(404), /model.safetensors is not in owner\/tiny-t5/],
    [status(416), /shorter than its own header says/],
    [(request) => request.socket.destroy(), /did not answer/],
    [(_, response) => response.writeHead(206, { "Content-Range": "bytes 9-16/99" }).end("12345678"), /another part/],
    [(_, response) => response.writeHead(206, { "Content-Length": 4 }).end("1234"), /ended in the middle/],
    [(_, response) => response.writeHead(206).end("123456789"), /longer than the 8 bytes/],
    [(_, response) => (response.writeHead(206, { "Content-Length": 8 }).write("12"), setTimeout(() => response.destroy(), 20)), /ended in the middle/],
  ]) {
    const model = await openHub(await hub(context, { refuse: { [path]: answer } }));
    await assert.rejects(model.ranges("model.safetensors"), words);
  }
  const model = await openHub(await hub(context, {}, { "config.json": Buffer.from([0xff]) }));
  await assert.rejects(model.text("tokenizer.json"), /has no file tokenizer.json/);
  await assert.rejects(model.text("config.json"), /not text in UTF-8/);
  await assert.rejects(model.weights(), /has no model.safetensors/);
});

test("without a network and with nothing kept", async (context) => {
  const server = await hub(context);
  await server.close();
  await assert.rejects(openHub(server, { kept: keptInMemory() }), /did not answer.*Check the connection/);
});

test("an abort ends what runs and what comes later, with its own reason", async (context) => {
  const path = `/${ID}/resolve/${COMMIT}/model.safetensors`;
  for (const code of [206, 200]) {
    const stop = new AbortController();
    const slow = (_, response) => {
      response.writeHead(code, { "Content-Length": 8 }).write("12");
      setTimeout(() => stop.abort(new Error("stopped")), 20);
    };
    const server = await hub(context, { refuse: { [path]: slow } });
    const model = await openHub(server, { signal: stop.signal });
    await assert.rejects(model.ranges("model.safetensors"), /^Error: stopped$/);
    await assert.rejects(model.text("config.json"), /^Error: stopped$/);
  }
});

test("a file that is no safetensors file, or not all of it, is refused", async (context) => {
  const entry = (part) => JSON.stringify({ a: { dtype: "F32", shape: [2], data_offsets: [0, 8], ...part } });
  for (const [bytes, words] of [
    [Buffer.from("short"), /it has 5 bytes/],
    [withHeader("{}", Buffer.alloc(0), 100_000_001), /claims 100000001 bytes/],
    [withHeader("{}", Buffer.alloc(0), 50), /ends within its header/],
    [withHeader("{oops"), /not JSON/],
    [withHeader(entry(), Buffer.alloc(7)), /a lies outside/],
    [withHeader(entry({ data_offsets: [8, 0] }), Buffer.alloc(8)), /a lies outside/],
    [withHeader(entry({ shape: [3] }), Buffer.alloc(8)), /8 bytes in place of 12/],
    [withHeader(entry({ shape: [-2] }), Buffer.alloc(8)), /does not say where a lies/],
    [withHeader(entry({ data_offsets: [0, 0.5] }), Buffer.alloc(8)), /does not say where a lies/],
    [withHeader('{"a": null}'), /does not say where a lies/],
  ]) {
    const model = await openHub(await hub(context, {}, { "model.safetensors": bytes }));
    await assert.rejects(model.weights(), words);
  }
});

test("shards are those that the index names, beside it", async (context) => {
  const index = (map) => JSON.stringify({ weight_map: map });
  const shards = {
    "model-1.safetensors": safetensors({ a: [1, 2] }),
    "model-2.safetensors": safetensors({ b: [2, 2] }),
    "model.safetensors.index.json": index({ b: "model-2.safetensors", a: "model-1.safetensors", c: "model-2.safetensors" }),
  };
  const weights = await (await openHub(await hub(context, {}, shards))).weights();
  assert.deepEqual(weights.map(({ name }) => name), ["model-1.safetensors", "model-2.safetensors"]);
  assert.deepEqual(await tensor(weights[1], "b"), [2, 2]);
  for (const name of ["../model.safetensors", "a/b.safetensors", "https://x.y/z.safetensors", "model.bin", ".safetensors", 7]) {
    const server = await hub(context, {}, { ...shards, "model.safetensors.index.json": index({ a: name }) });
    await assert.rejects((await openHub(server)).weights(), /no plain file name/, String(name));
  }
  for (const text of ["{}", "nonsense", "null"]) {
    const server = await hub(context, {}, { ...shards, "model.safetensors.index.json": text });
    await assert.rejects((await openHub(server)).weights(), /names no files/, text);
  }
});

test("a folder is kept for as long as the server calls its files the same", async (context) => {
  let tag = '"one"';
  const files = { "/m/config.json": "{}", "/m/model.safetensors": WEIGHTS };
  const server = await started(context, serve(files, { tag: () => tag }));
  const kept = keptInMemory();
  const visit = async () => {
    const model = await open({ folder: `${server.host}/m` }, { kept });
    const [weights] = await model.weights();
    return [await model.text("config.json"), await tensor(weights, "lm_head.weight")];
  };
  await visit();
  server.asked.length = 0;
  await visit();
  assert.ok(server.asked.every((line) => line.startsWith("HEAD ")), server.asked.join());
  [tag, files["/m/config.json"]] = ['"two"', '{"new": 1}'];
  assert.equal((await visit())[0], '{"new": 1}');
  assert.ok([...kept.map.keys()].every((key) => !key.includes("one")), [...kept.map.keys()].join());
  await server.close();
  assert.deepEqual(await visit(), ['{"new": 1}', [2, 2, 2]]);
});

test("a folder without tags is fetched anew, and says what it lacks", async (context) => {
  const server = await started(context, serve({ "/config.json": "{}" }));
  const kept = keptInMemory();
  const model = await open({ folder: server.host }, { kept });
  assert.equal(await model.text("config.json"), "{}");
  assert.equal(kept.map.size, 0);
  await assert.rejects(model.text("tokenizer.json"), /tokenizer.json is not in http.*Check the address/);
  await assert.rejects(model.weights(), /has no model.safetensors/);
});

test("files from the disk", async () => {
  const files = [new File([WEIGHTS], "model.safetensors"), new File(["{}"], "config.json")];
  let told = 0;
  const model = await open({ files }, { progress: (bytes) => (told += bytes), kept: keepsNothing });
  const [weights] = await model.weights();
  assert.deepEqual(await tensor(weights, "lm_head.weight"), [2, 2, 2]);
  assert.equal(await model.text("config.json"), "{}");
  assert.equal(told, WEIGHTS.length - 4000 + 2);
  await assert.rejects(model.text("tokenizer.json"), /not among the chosen files \(model.safetensors, config.json\)/);
});
