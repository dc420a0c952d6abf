/** Pictures that somebody dropped, kept in this browser, so that back and reload find them again. */

const KEPT = 30;

/** @returns {Promise<IDBDatabase>} */
function open() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open("lookalike", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("pictures");
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

/**
 * @template T
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest<T>} action
 * @returns {Promise<T>}
 */
async function inStore(mode, action) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const asked = action(database.transaction("pictures", mode).objectStore("pictures"));
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

/** @type {Map<string, Blob>} */
const here = new Map();

/** Keep a picture; return its key. @param {Blob} picture */
export async function keep(picture) {
  const key = `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 6)}`;
  here.set(key, picture);
  try {
    await inStore("readwrite", (store) => store.put(picture, key));
    const keys = await inStore("readonly", (store) => store.getAllKeys());
    for (const old of keys.slice(0, -KEPT)) await inStore("readwrite", (store) => store.delete(old));
  } catch {
    // a private window keeps nothing: the picture is there until the page goes
  }
  return key;
}

/** @param {string} key @returns {Promise<Blob | null>} */
export async function kept(key) {
  const known = here.get(key) ?? (await inStore("readonly", (store) => store.get(key)).catch(() => null));
  if (known) here.set(key, known);
  return known ?? null;
}

/** @param {Blob} picture @returns {Promise<string>} */
export function base64(picture) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(picture);
  });
}
