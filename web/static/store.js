// What the page keeps: strings and bytes by key, in IndexedDB, outside the wasm instance, so that a
// panic or a closed tab loses nothing. Every failure is an Error with a sentence for people.

const DATABASE = "compacter";
const STORE = "store";

const FORBIDDEN =
  "This browser keeps nothing for this page: storage is blocked, or this is a private window. " +
  "Allow site data for this page or open it in an ordinary window; until then nothing is saved.";
const FULL =
  "The browser's storage for this page is full, so this was not saved. " +
  "Delete some runs, or free space on the disk, and try again.";
const BLOCKED =
  "Another tab holds an older version of what this page keeps. Close the other tabs of this page and reload.";

/// What happened and what to do, for the error of a request.
function sentence(error) {
  switch (error?.name) {
    case "QuotaExceededError":
      return FULL;
    case "SecurityError":
    case "InvalidStateError":
      return FORBIDDEN;
    case "VersionError":
      return "A newer version of this page has been here before. Reload to get it.";
    default: {
      const why = error?.message || error?.name || "the browser gave no reason";
      return `The browser's storage did not answer (${why}). Reload the page; what was saved before is kept.`;
    }
  }
}

const failure = (error) => new Error(sentence(error), { cause: error });

let database = null;

/// The open database; opened anew after it failed or was taken away.
function open() {
  database ??= new Promise((resolve, reject) => {
    const fail = (error) => {
      database = null;
      reject(error);
    };
    let request;
    try {
      // Where storage is forbidden, reading the name alone may throw, or it is not there at all.
      if (!globalThis.indexedDB) throw new DOMException("no indexedDB", "SecurityError");
      request = indexedDB.open(DATABASE, 1);
    } catch (error) {
      return fail(failure(error));
    }
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onblocked = () => fail(new Error(BLOCKED));
    request.onerror = () => fail(failure(request.error));
    request.onsuccess = () => {
      const opened = request.result;
      opened.onclose = () => (database = null);
      // Another tab wants to delete or change the database: do not stand in its way.
      opened.onversionchange = () => {
        opened.close();
        database = null;
      };
      resolve(opened);
    };
  });
  return database;
}

/// Runs one request in a transaction; resolves with its result once the transaction is done.
async function transact(mode, request) {
  const opened = await open();
  return new Promise((resolve, reject) => {
    try {
      // "strict": a value that is said to be saved is on the disk.
      const transaction = opened.transaction(STORE, mode, { durability: "strict" });
      const asked = request(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(asked.result);
      // A full disk shows only here, with the reason on the transaction.
      transaction.onabort = () => reject(failure(transaction.error ?? asked.error));
    } catch (error) {
      reject(failure(error));
    }
  });
}

/// Keeps a string or a Uint8Array under a key, in place of what was there.
export async function put(key, value) {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) {
    throw new TypeError(`${key}: only strings and bytes are kept`);
  }
  await transact("readwrite", (store) => store.put(value, key));
}

/// The value of a key, or undefined.
export const get = (key) => transact("readonly", (store) => store.get(key));

/// Forgets a key; one that is not there is no error.
export const remove = (key) => transact("readwrite", (store) => store.delete(key));

/// All keys that begin with `prefix`, in order.
export async function keys(prefix = "") {
  // No string comes after the largest code unit.
  const range = IDBKeyRange.bound(prefix, prefix + "\uffff");
  return transact("readonly", (store) => store.getAllKeys(range));
}

/// Forgets everything.
export const clear = () => transact("readwrite", (store) => store.clear());
