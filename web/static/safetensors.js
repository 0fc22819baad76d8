// The header of a safetensors file: 8 bytes of length, then JSON that says where each tensor lies.

/// The format's own bound.
const LARGEST_HEADER = 100_000_000;
const BYTES = { F64: 8, I64: 8, U64: 8, F32: 4, I32: 4, U32: 4, F16: 2, BF16: 2, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1 };

/// Reads and checks the header of a file; `what` names it in errors.
export async function readHeader(file, what) {
  const broken = (why) => new Error(`${what} is not a whole safetensors file: ${why}.`);
  const size = await file.size();
  if (size < 8) throw broken(`it has ${size} bytes`);
  const first = await file.read(0, 8);
  const length = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (length > LARGEST_HEADER) throw broken(`its header claims ${length} bytes`);
  const data = 8 + Number(length);
  if (size < data) throw broken("it ends within its header");
  const json = await file.read(8, data);
  const end = (await file.size()) ?? Infinity;
  const { metadata, tensors } = understood(json, data, end, broken);
  const header = new Uint8Array(data);
  header.set(first);
  header.set(json, 8);
  const read = (start, end) => file.read(start, end);
  return { name: file.name, size: await file.size(), header, metadata, tensors, read };
}

function understood(json, data, end, broken) {
  let entries;
  try {
    entries = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
  } catch {
    throw broken("its header is not JSON");
  }
  const { __metadata__: metadata = {}, ...named } = entries ?? {};
  const tensors = new Map();
  for (const [name, tensor] of Object.entries(named)) tensors.set(name, placed(name, tensor, data, end, broken));
  return { metadata, tensors };
}

const count = (number) => Number.isSafeInteger(number) && number >= 0;

/// A tensor with its place counted from the start of the file.
function placed(name, tensor, data, end, broken) {
  const { dtype, shape, data_offsets: offsets } = tensor ?? {};
  if (!Array.isArray(shape) || !shape.every(count) || !Array.isArray(offsets) || !offsets.every(count)) {
    throw broken(`its header does not say where ${name} lies`);
  }
  const [from, to] = offsets;
  if (!(from <= to && data + to <= end)) throw broken(`${name} lies outside of it`);
  const bytes = BYTES[dtype] && shape.reduce((product, side) => product * side, BYTES[dtype]);
  if (bytes !== undefined && bytes !== to - from) throw broken(`${name} has ${to - from} bytes in place of ${bytes}`);
  return { dtype, shape, start: data + from, end: data + to };
}
