// The trainer's worker: loads its module and a base, then trains between messages.
import init, { Worker } from "./trainer.js";

const queue = [];
let wake = null;

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
  if (choice === "gpu") return { gpu: true, name, reason: "as asked" };
  const software = adapter.info.isFallbackAdapter || /swiftshader|llvmpipe/i.test(name + architecture);
  if (software) return { gpu: false, name: "CPU", reason: `${name} is a software adapter, slower than the CPU` };
  return { gpu: true, name, reason: "WebGPU has an adapter" };
}

async function bytes(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/// The first message says which base and which device: { model: URL of a folder, device }.
async function start({ model, device: choice }) {
  await init({ module_or_path: new URL("trainer_bg.wasm", import.meta.url) });
  const { gpu, name, reason } = await device(choice);
  const files = ["config.json", "tokenizer.json", "model.safetensors"];
  const [config, tokenizer, weights] = await Promise.all(files.map((file) => bytes(`${model}/${file}`)));
  const worker = await Worker.load(config, tokenizer, weights, gpu);
  say(worker.ready(name, reason));
  return worker;
}

async function run() {
  while (!queue.length) await message();
  const worker = await start(queue.shift());
  for (;;) {
    while (queue.length) {
      const { json, bytes } = queue.shift();
      say(await worker.receive(json, bytes));
    }
    const report = await worker.advance();
    say(report);
    if (report) await pause();
    else if (!queue.length) await message();
  }
}

run().catch((error) => {
  const json = JSON.stringify({ report: "failed", run: null, message: String(error.message ?? error) });
  postMessage({ json });
});
