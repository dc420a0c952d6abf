/** The state of a search: it stands in the URL, so that back works and a link can be sent to a colleague. */

/**
 * @typedef {{kind: "id" | "url" | "text" | "up", value: string, sign: 1 | -1, box?: number[]}} Example
 *   What is looked for, or what it should be unlike. `up` is a picture that this browser holds, by its key.
 * @typedef {{examples: Example[], filter: any, radius: number | null, variety: number, sort: string, every: boolean, chosen: string, picked: string[]}} State
 *   `sort` is a field, after `-` for descending; `every` shows every picture of a product; `chosen` is the record of the details,
 *   `picked` are those that are selected.
 */

const MOST_PICKED = 50;

/** @param {string} text @returns {Example | null} */
function example(text) {
  const found = /^(-?)(id|url|text|up)(?:@(\d+),(\d+),(\d+),(\d+))?:([^]+)$/.exec(text);
  if (!found) return null;
  const box = found[3] === undefined ? undefined : found.slice(3, 7).map(Number);
  return { kind: /** @type {any} */ (found[2]), value: found[7], sign: found[1] ? -1 : 1, box };
}

/** @param {URLSearchParams} query @returns {State} */
export function read(query) {
  let filter = null;
  try {
    filter = JSON.parse(query.get("filter") ?? "null");
  } catch {
    // what was typed wrong into the address is no filter
  }
  const radius = Number.parseFloat(query.get("within") ?? "");
  return {
    examples: query.getAll("q").map(example).filter((one) => one !== null),
    filter,
    radius: Number.isFinite(radius) ? radius : null,
    variety: Math.min(1, Math.max(0, Number.parseFloat(query.get("variety") ?? "") || 0)),
    sort: query.get("sort") ?? "",
    every: query.get("every") === "1",
    chosen: query.get("chosen") ?? "",
    picked: query.getAll("picked"),
  };
}

/** @param {State} state @param {string} collection */
export function write(state, collection) {
  const query = new URLSearchParams({ c: collection });
  for (const one of state.examples) {
    query.append("q", `${one.sign < 0 ? "-" : ""}${one.kind}${one.box ? `@${one.box.join(",")}` : ""}:${one.value}`);
  }
  if (state.filter && Object.keys(state.filter).length) query.set("filter", JSON.stringify(state.filter));
  if (state.radius !== null) query.set("within", String(state.radius));
  if (state.variety) query.set("variety", String(state.variety));
  if (state.sort) query.set("sort", state.sort);
  if (state.every) query.set("every", "1");
  if (state.chosen) query.set("chosen", state.chosen);
  // An address has its limits: a larger selection lasts as long as the page.
  if (state.picked.length <= MOST_PICKED) for (const one of state.picked) query.append("picked", one);
  return query;
}

/**
 * Filters as chips: each entry of the top level is one condition.
 * @param {any} filter
 * @returns {{field: string, text: string}[]}
 */
export function conditions(filter) {
  return Object.entries(filter ?? {}).map(([field, value]) => ({ field, text: told(field, value) }));
}

/** @param {string} field @param {any} value */
function told(field, value) {
  if (field.startsWith("$")) return `${field.slice(1)} ${JSON.stringify(value)}`;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return `${field}: ${plain(value)}`;
  const keys = Object.keys(value);
  if (keys.length === 1 && Array.isArray(value.$in)) return `${field}: ${value.$in.map(plain).join(" or ")}`;
  if (keys.every((key) => ["$gte", "$lt", "$lte", "$gt"].includes(key))) {
    const signs = /** @type {Record<string, string>} */ ({ $gte: "≥", $gt: ">", $lt: "<", $lte: "≤" });
    return `${field} ${keys.map((key) => `${signs[key]} ${plain(value[key])}`).join(" and ")}`;
  }
  return `${field}: ${JSON.stringify(value)}`;
}

/** @param {any} value */
const plain = (value) => (typeof value === "number" ? String(Math.round(value * 100) / 100) : typeof value === "string" ? value : JSON.stringify(value));

/** @param {any} filter @param {string} field */
export function without(filter, field) {
  const rest = { ...filter };
  delete rest[field];
  return Object.keys(rest).length ? rest : null;
}

/**
 * Add a value to the condition on a field, or take it out again; several values are an "or".
 * @param {any} filter @param {string} field @param {any} value
 */
export function toggled(filter, field, value) {
  const now = filter?.[field];
  const held = now === undefined ? [] : Array.isArray(now?.$in) ? now.$in : now !== null && typeof now === "object" ? [] : [now];
  const next = held.includes(value) ? held.filter((/** @type {any} */ one) => one !== value) : [...held, value];
  if (next.length === 0) return without(filter, field);
  return { ...filter, [field]: next.length === 1 ? next[0] : { $in: next } };
}
