// The trainer's worker: loads its module and a base, then trains between messages.
import { open } from "./hub.js";
import init, { Loading } from "./trainer.js";

const queue = [];
let wake = null;
let memory = null;

onmessage = ({ data }) => {
  queue.push(data);
  wake?.();
};

/// Resolves at the next message.
const message = () => new Promise((resolve) => (wake = resolve));

/// Lets messages in between two steps; a timer would wait for at least 4 ms.
const channel = new MessageChannel();
const pause = () =>
  new Promise((resolve) => {
    channel.port1.onmessage = resolve;
    channel.port2.postMessage(null);
  });

/// A graphics device that goes away takes the run with it; the page goes on from a checkpoint.
let lost = null;
const watchers = [];
if (globalThis.GPUAdapter) {
  const request = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await request.call(this, descriptor);
    device.lost.then(({ reason, message }) => {
      lost = `The graphics device was lost (${message || reason || "the driver gave no reason"}).`;
      for (const tell of watchers) tell(new Error(lost));
    });
    // Asked for by a test alone, which has no driver to unplug.
    loseDevice = () => device.destroy();
    return device;
  };
}
let loseDevice = null;

/// Rejects when the device goes away, so that nothing waits for it for ever.
const whileDevice = (promise) =>
  new Promise((resolve, reject) => {
    if (lost) return reject(new Error(lost));
    watchers.push(reject);
    promise.then(resolve, reject).finally(() => watchers.splice(watchers.indexOf(reject), 1));
  });

/// What ended the trainer, in words a person can act on.
function reason(error, memory) {
  if (lost) return lost;
  const words = globalThis.trainerPanic ?? String(error?.message ?? error);
  const held = (memory?.buffer.byteLength ?? 0) / 2 ** 20;
  // wasm32 ends at 4 GiB, and browsers often earlier.
  if (error instanceof RangeError || held > 3500 || /out of memory|memory allocation/i.test(words)) {
    return `There was no more memory (${Math.round(held)} MB held). Take fewer rows a step, a smaller method or int8 weights, and train again.`;
  }
  return `The trainer stopped: ${words}`;
}

function say(report) {
  if (report) postMessage({ json: report.json, bytes: report.bytes });
}

/// `auto` takes WebGPU where there is a real adapter: a software one is slower than the CPU backend.
async function device(choice) {
  if (choice === "cpu") return { gpu: false, name: "CPU", reason: "as asked" };
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) return { gpu: false, name: "CPU", reason: "this browser offers no WebGPU" };
  const { vendor, architecture, description } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(" ") || "WebGPU";
  const { limits } = adapter;
  if (choice === "gpu") return { gpu: true, name, reason: "as asked", limits };
  const software = adapter.info.isFallbackAdapter || /swiftshader|llvmpipe/i.test(name + architecture);
  if (software) return { gpu: false, name: "CPU", reason: `${name} is a software adapter, slower than the CPU` };
  return { gpu: true, name, reason: "WebGPU has an adapter", limits };
}

/// Of wasm's 4 GiB; browsers give a tab less.
const MEMORY = 3.5e9;
/// Bytes after which the device is waited for: a browser holds what it has not passed on.
const SETTLE = 64e6;

/// Loads a base: { source as hub.js takes it, device: auto, gpu or cpu, weights: f32, f16 or int8 }.
async function start({ source, device: choice, weights }) {
  ({ memory } = await init({ module_or_path: new URL("trainer_bg.wasm", import.meta.url) }));
  const { gpu, name, reason, limits } = await device(choice);
  let [done, total, words, told] = [0, 0, "", 0];
  const tell = () => {
    told = performance.now();
    postMessage({ json: JSON.stringify({ report: "progress", words, done, total }) });
  };
  const progress = (bytes) => {
    done += bytes;
    if (performance.now() - told > 100) tell();
  };
  // An address of a folder is meant as seen from these scripts, beside which the page lies.
  const model = await open(source, { progress });
  const loading = await Loading.open(await model.bytes("config.json"), gpu, weights);
  const unbounded = Number.MAX_SAFE_INTEGER;
  const { maxBufferSize = unbounded, maxStorageBufferBindingSize = unbounded } = limits ?? {};
  words = loading.plan(maxBufferSize, maxStorageBufferBindingSize, gpu ? unbounded : MEMORY);
  const tokenizer = await model.bytes("tokenizer.json");
  const files = new Map();
  for (const file of await model.weights()) {
    files.set(file.name, file);
    loading.header(file.name, file.header, file.size);
    total += file.size;
  }
  tell();
  let since = 0;
  for (const [file, tensor, first, end] of JSON.parse(loading.slots())) {
    loading.take(tensor, await files.get(file).read(first, end));
    since += end - first;
    if (gpu && since > SETTLE) {
      await loading.settle();
      since = 0;
    }
  }
  const worker = loading.finish(tokenizer);
  say(worker.ready(name, reason));
  return worker;
}

async function run() {
  while (!queue.length) await message();
  const worker = await start(queue.shift());
  for (;;) {
    while (queue.length) {
      const { json, bytes, lose } = queue.shift();
      if (lose) loseDevice?.();
      else say(await whileDevice(worker.receive(json, bytes)));
    }
    const report = await whileDevice(worker.advance());
    say(report);
    if (report) await pause();
    else if (!queue.length) await whileDevice(message());
  }
}

run().catch((error) => {
  postMessage({ json: JSON.stringify({ report: "gone", message: reason(error, memory) }) });
});
