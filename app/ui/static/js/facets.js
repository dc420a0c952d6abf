/** The facets beside a search: values with counts, numbers as a small histogram. A click adds a chip. */

import { collection, method } from "./api.js";
import { h, number } from "./dom.js";

const SAMPLE = 200;
const MOST = 10;
const BINS = 14;

/** @typedef {{field: string, kind: "values" | "numbers"}} Facet */
// A field of about nine values divides a collection best; one of two or of sixty says less.

/**
 * Choose the fields that are worth a facet, from a sample of records.
 * @param {any[]} records
 * @returns {Facet[]}
 */
export function chosen(records) {
  /** @type {Map<string, any[]>} */
  const values = new Map();
  for (const record of records) {
    for (const [field, value] of Object.entries(record)) {
      if (field.startsWith("_") || field.includes(".") || value === null || value === "") continue;
      values.set(field, [...(values.get(field) ?? []), ...(Array.isArray(value) ? value : [value])]);
    }
  }
  /** @type {(Facet & {worth: number})[]} */
  const found = [];
  for (const [field, some] of values) {
    const different = new Set(some.map((one) => JSON.stringify(one))).size;
    if (different < 2 || some.length < records.length / 10) continue;
    if (some.every((one) => typeof one === "number") && different > 6) found.push({ field, kind: "numbers", worth: different > 30 && !some.every(Number.isInteger) ? 99 : 94 });
    else if (some.every((one) => ["string", "boolean", "number"].includes(typeof one)) && different <= Math.max(12, some.length / 5)) {
      found.push({ field, kind: "values", worth: 100 - 4 * Math.abs(Math.log2(different / 9)) - (some.some((one) => String(one).length > 40) ? 60 : 0) });
    }
  }
  return found.sort((one, other) => other.worth - one.worth).slice(0, MOST);
}

/** The collection's facets: learnt once a session. @returns {Promise<Facet[]>} */
export async function facetsOf() {
  const key = `lookalike.facets.${collection}`;
  const known = sessionStorage.getItem(key);
  if (known) return JSON.parse(known);
  const told = await method("random", { count: SAMPLE });
  const found = chosen(told.answer_records ?? []);
  if (found.length) sessionStorage.setItem(key, JSON.stringify(found));
  return found;
}

/** @param {Facet[]} facets */
export const asked = (facets) => facets.map(({ field, kind }) => (kind === "numbers" ? { field, histogram: { bins: BINS }, exclude_own: true } : { field, limit: 30, exclude_own: true }));

/**
 * Draw the counts of facets.
 * @param {HTMLElement} place
 * @param {Facet[]} facets
 * @param {Record<string, any>} counted by field
 * @param {{value: (field: string, value: any) => void, range: (field: string, range: any) => void}} on
 */
export function draw(place, facets, counted, on) {
  const open = new Set([...place.querySelectorAll("details[open]")].map((one) => /** @type {HTMLElement} */ (one).dataset.field));
  const focus = document.activeElement instanceof HTMLElement && place.contains(document.activeElement) ? document.activeElement.dataset.value : null;
  const first = place.childElementCount === 0 || place.querySelector(".skeleton");
  place.replaceChildren(...facets.filter(({ field }) => counted[field]?.values.some((/** @type {any} */ one) => one.count || one.selected)).map(({ field, kind }, at) => {
    const facet = counted[field];
    const body = kind === "numbers" ? histogram(field, facet, on.range) : values(field, facet, on.value);
    return h("details", { class: "facet", "data-field": field, open: first ? at < 6 : open.has(field) }, h("summary", {}, field), body);
  }));
  if (focus) for (const one of place.querySelectorAll("[data-value]")) if (/** @type {HTMLElement} */ (one).dataset.value === focus) /** @type {HTMLElement} */ (one).focus();
}

/** @param {string} field @param {any} facet @param {(field: string, value: any) => void} on */
function values(field, facet, on) {
  const rows = facet.values.map((/** @type {any} */ one) => h("li", {}, h("button", {
    type: "button", class: "facet-value", "aria-pressed": String(Boolean(one.selected)), "data-value": `${field}=${JSON.stringify(one.value)}`, onclick: () => on(field, one.value),
  }, h("span", { class: "name" }, typeof one.value === "string" ? one.value : JSON.stringify(one.value)), h("span", { class: "count" }, number(one.count)))));
  const list = h("ul", {}, ...rows);
  if (rows.length <= 7) return list;
  for (const row of rows.slice(6)) if (row.firstElementChild?.getAttribute("aria-pressed") !== "true") row.hidden = true;
  const more = h("button", { type: "button", class: "link", onclick: () => { for (const row of rows) row.hidden = false; more.remove(); } }, `${rows.length - 6} more`);
  return h("div", {}, list, more);
}

/**
 * @param {string} field
 * @param {any} facet
 * @param {(field: string, range: any) => void} on
 */
function histogram(field, facet, on) {
  const bins = facet.values.map((/** @type {any} */ one) => ({ range: one.value, from: one.value.$gte ?? null, to: one.value.$lt ?? one.value.$lte ?? null, count: one.count, selected: one.selected }));
  const most = Math.max(1, ...bins.map((/** @type {any} */ one) => one.count));
  const bars = bins.map((/** @type {any} */ one) => {
    const bar = h("button", { type: "button", class: "bin", "aria-pressed": String(Boolean(one.selected)), "data-value": `${field}=${one.from}`,
      title: `${span(one)}: ${number(one.count)}`, "aria-label": `${field} ${span(one)}: ${number(one.count)} pictures`, onclick: () => on(field, one.range) }, h("i", {}));
    bar.firstElementChild.style.height = `${one.count ? Math.max(6, (100 * one.count) / most) : 0}%`;
    return bar;
  });
  const bounds = bins.flatMap((/** @type {any} */ one) => [one.from, one.to]).filter((/** @type {any} */ one) => typeof one === "number");
  const low = h("input", { type: "number", step: "any", placeholder: bounds.length ? number(Math.min(...bounds)) : "from", "aria-label": `${field} from`, "data-value": `${field}<` });
  const high = h("input", { type: "number", step: "any", placeholder: bounds.length ? number(Math.max(...bounds)) : "to", "aria-label": `${field} to`, "data-value": `${field}>` });
  const apply = () => on(field, { ...(low.value === "" ? {} : { $gte: Number(low.value) }), ...(high.value === "" ? {} : { $lte: Number(high.value) }) });
  low.addEventListener("change", apply);
  high.addEventListener("change", apply);
  return h("div", {}, h("div", { class: "bins", role: "group", "aria-label": `${field} by size` }, ...bars), h("div", { class: "span" }, low, h("span", { "aria-hidden": "true" }, "–"), high));
}

/** @param {{from: number | null, to: number | null}} one */
const span = ({ from, to }) => (from === null ? `below ${number(to ?? 0)}` : to === null ? `from ${number(from)}` : `${number(from)} to ${number(to)}`);

/**
 * Offer the fields to sort by.
 * @param {HTMLSelectElement} sort @param {Facet[]} fields @param {string} chosen @param {boolean} nearest whether something is looked for
 */
export function drawSorts(sort, fields, chosen, nearest) {
  const names = fields.filter((one) => one.kind === "numbers").map((one) => one.field);
  const held = chosen.replace(/^-/, "");
  if (held && !names.includes(held)) names.push(held);
  sort.replaceChildren(h("option", { value: "" }, nearest ? "Nearest first" : "Default order"),
    ...names.flatMap((name) => [h("option", { value: name }, `${name}, low to high`), h("option", { value: `-${name}` }, `${name}, high to low`)]));
  sort.value = chosen;
}
