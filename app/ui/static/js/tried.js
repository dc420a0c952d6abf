/** What was tried, kept in this browser: never a token or a secret, never an answer. */

const KEY = "lookalike.tried";
const MOST = 30;
const LONGEST = 10_000;
const SECRET = /token|secret|password|api[-_]?key|authorization/i;

/** @typedef {{id: string, server: string, values: Record<string, string>, body: string, http: number, ms: number, at: number}} Tried */

/** @returns {Tried[]} */
export function tried() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {Tried} one */
export function remember(one) {
  const kept = { ...one, body: bare(one.body), values: Object.fromEntries(Object.entries(one.values).map(([name, value]) => [name, SECRET.test(name) ? "" : value])) };
  try {
    localStorage.setItem(KEY, JSON.stringify([kept, ...tried().filter((other) => other.id !== kept.id || other.body !== kept.body)].slice(0, MOST)));
  } catch {
    // a full or closed store keeps nothing
  }
}

export const forget = () => localStorage.removeItem(KEY);

/**
 * A body without what must not be kept or sent along in a link: secrets, pictures; empty where it is no JSON or too long.
 * @param {string} text
 */
export function bare(text) {
  if (!text.trim()) return "";
  try {
    // Numbers such as that of a token to revoke are no secret: only texts are left out.
    const kept = JSON.stringify(JSON.parse(text, (key, value) => (typeof value === "string" && (SECRET.test(key) || key === "_base64") && value ? "…" : value)), null, 2);
    return kept.length > LONGEST ? "" : kept;
  } catch {
    return "";
  }
}
