/** Pictures of the review: as they came where the collection keeps them, else thumbnails; with what a file says of itself. */

import { learnThumbnails, original, signIn, thumbnail } from "./api.js";

/** @typedef {{url: string, bytes: number, type: string, whole: boolean}} Picture */

const KEPT = 60;
/** @type {Map<string, Promise<Picture | null>>} */
const held = new Map();

/** @param {string} url @returns {Promise<Blob | null>} */
async function fetched(url) {
  for (;;) {
    const answer = await fetch(url);
    if (answer.status === 401) { await signIn(); continue; }
    return answer.ok ? answer.blob() : null;
  }
}

/** @param {string} id @param {boolean} originals @returns {Promise<Picture | null>} */
async function load(id, originals) {
  const whole = originals ? await fetched(original(id)) : null;
  if (whole) return { url: URL.createObjectURL(whole), bytes: whole.size, type: whole.type, whole: true };
  await learnThumbnails([id]);
  const url = thumbnail(id);
  const small = url ? await fetched(url) : null;
  return small && { url: URL.createObjectURL(small), bytes: small.size, type: small.type, whole: false };
}

/**
 * The picture of a record, null where none is kept; asked once, and kept for as long as the review is near it.
 * @param {string} id @param {boolean} originals whether the collection keeps pictures as they came
 */
export function picture(id, originals) {
  const known = held.get(id);
  if (known) return known;
  const asked = load(id, originals);
  held.set(id, asked);
  asked.catch(() => held.delete(id));
  for (const [old, one] of [...held].slice(0, -KEPT)) {
    held.delete(old);
    one.then((gone) => gone && URL.revokeObjectURL(gone.url), () => {});
  }
  return asked;
}

/** A size as a person reads it. @param {number} bytes */
export const size = (bytes) => (bytes < 1024 ? `${bytes} bytes` : bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`);
