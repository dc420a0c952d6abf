/** The facets beside a search: values with counts, numbers as a small histogram. A click adds a chip. */

import { collection, method } from "./api.js";
import { h, number } from "./dom.js";
import { errorBox } from "./say.js";
import { toggled, without } from "./state.js";

const SAMPLE = 200;
const MOST = 10;
const OPEN = 6;
const BINS = 16;
const TAIL = 0.02;
const LATER = 800;

/**
 * @typedef {{field: string, cuts?: number[]}} Facet with the inner bounds of ranges where it is one of numbers
 * @typedef {{filter: any, set: string, told: any, later: Facet[]}} Counted
 *   What a filter left when it was counted. Counts hold within one set: that of all records is "".
 */
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
    if (some.every((one) => typeof one === "number") && different > 6) found.push({ field, cuts: cuts(some), worth: different > 30 && !some.every(Number.isInteger) ? 99 : 94 });
    else if (some.every((one) => ["string", "boolean", "number"].includes(typeof one)) && different <= Math.max(12, some.length / 5)) {
      found.push({ field, worth: 100 - 4 * Math.abs(Math.log2(different / 9)) - (some.some((one) => String(one).length > 40) ? 60 : 0) });
    }
  }
  return found.sort((one, other) => other.worth - one.worth).slice(0, MOST);
}

/**
 * Bounds of about a dozen equally wide ranges between round numbers, from a sample: the two outermost are open, so that a few
 * odd numbers do not make all others one bar. Counting by bounds that are given takes half the time of finding them first,
 * and bars stay where they are whatever the filter.
 * @param {number[]} some
 */
export function cuts(some) {
  const sorted = [...some].sort((one, other) => one - other);
  const at = (/** @type {number} */ part) => sorted[Math.round(part * (sorted.length - 1))];
  const [low, high] = at(TAIL) < at(1 - TAIL) ? [at(TAIL), at(1 - TAIL)] : [at(0), at(1)];
  const raw = (high - low) / BINS;
  const power = 10 ** Math.floor(Math.log10(raw));
  const round = (/** @type {number} */ (([1, 2, 2.5, 5].find((one) => one * power >= raw)) ?? 10)) * power;
  const step = some.every(Number.isInteger) ? Math.ceil(round) : round;
  const found = [];
  for (let n = Math.floor(low / step) + 1; n * step < high && found.length < 2 * BINS; n++) found.push(Number((n * step).toPrecision(12)));
  return found.length ? found : [high];
}

/** The collection's facets: learnt once a session. @returns {Promise<Facet[]>} */
export async function facetsOf() {
  const key = `lookalike.fields.${collection}`;
  const known = sessionStorage.getItem(key);
  if (known) return JSON.parse(known);
  const told = await method("random", { count: SAMPLE });
  const found = chosen(told.answer_records ?? []);
  if (found.length) sessionStorage.setItem(key, JSON.stringify(found));
  return found;
}

// A request without facets has no total.
const NONE = { field: "_none", limit: 1 };
/** @param {Facet[]} facets */
const asked = (facets) => (facets.length ? facets.map(({ field, cuts: ranges }) => (ranges ? { field, ranges, exclude_own: true } : { field, limit: 30, exclude_own: true })) : [NONE]);

/** @param {any} filter @param {string} field @param {string} set what a facet's counts go by: the set, and the filter but for its own field */
const basis = (filter, field, set) => JSON.stringify([set, without(filter, field)]);

/**
 * The same counts under another condition on the facet's own field, which they do not go by; null where only the server
 * can tell which values that lets through.
 * @param {any} facet @param {any} condition
 */
function marked(facet, condition) {
  const held = condition === undefined ? [] : Array.isArray(condition?.$in) ? condition.$in : [condition];
  const all = facet.values.map((/** @type {any} */ one) => JSON.stringify(one.value));
  const chosen = held.map((/** @type {any} */ one) => JSON.stringify(one));
  if (!chosen.every((/** @type {string} */ one) => all.includes(one))) return null;
  return { ...facet, values: facet.values.map((/** @type {any} */ one, /** @type {number} */ n) => ({ ...one, selected: chosen.includes(all[n]) })) };
}

/**
 * The facets of a screen. Those that are open are counted, the others when they are opened. A click in one does not
 * change its own counts: the others are counted and shown first, then it is counted once more, as records may have changed.
 */
export class Panel {
  /**
   * @param {HTMLElement} place
   * @param {{filter: () => any, change: (filter: any) => void, count: (facets: any[], signal?: AbortSignal) => Promise<any>}} on
   *   `count` asks the server for facets of what the screen shows.
   */
  constructor(place, on) {
    this.place = place;
    this.on = on;
    /** @type {Facet[]} */
    this.fields = [];
    /** @type {Map<string, {facet: any, basis: string, condition: string | undefined}>} with the condition on its own field that it was counted under */
    this.known = new Map();
    /** @type {Set<string> | null} */
    this.open = null;
    /** @type {any} */
    this.filter = null;
    this.set = "";
    /** @type {Counted | null} */
    this.last = null;
  }

  /**
   * Count for a filter what is not known.
   * @param {any} filter @param {string} set @param {AbortSignal} signal
   * @returns {Promise<Counted>}
   */
  async count(filter, set, signal) {
    this.fields = await facetsOf();
    if (this.fields.length) this.open ??= new Set(this.fields.slice(0, OPEN).map(({ field }) => field));
    signal.throwIfAborted();
    const open = this.fields.filter(({ field }) => this.open?.has(field));
    const later = open.filter(({ field }) => this.held(field, filter, set));
    const now = open.filter((one) => !later.includes(one));
    // Where all is known, it is the records that may have changed.
    const told = await this.on.count(asked(now.length ? now : open), signal);
    return { filter, set, told, later: now.length ? later : [] };
  }

  /** @param {string} field @param {any} [filter] @param {string} [set] @returns {any} a facet as it is under a filter, null where that is not known */
  held(field, filter = this.filter, set = this.set) {
    const known = this.known.get(field);
    if (known?.basis !== basis(filter, field, set)) return null;
    const condition = filter?.[field];
    return known.condition === JSON.stringify(condition) ? known.facet : marked(known.facet, condition);
  }

  /** @param {any} filter @param {string} set @param {any} told */
  learn(filter, set, told) {
    for (const [field, facet] of Object.entries(told.facets ?? {})) this.known.set(field, { facet, basis: basis(filter, field, set), condition: JSON.stringify(filter?.[field]) });
  }

  /** Draw what was counted, once. @param {Counted} counted */
  draw(counted) {
    if (this.last === counted) return;
    this.last = counted;
    const { filter, set, told } = counted;
    this.filter = filter;
    this.set = set;
    this.learn(filter, set, told);
    const focus = document.activeElement instanceof HTMLElement && this.place.contains(document.activeElement) ? document.activeElement.dataset.value : null;
    this.place.replaceChildren(...this.fields.flatMap((one) => this.drawn(one) ?? []));
    if (focus) for (const one of this.place.querySelectorAll("[data-value]")) if (/** @type {HTMLElement} */ (one).dataset.value === focus) /** @type {HTMLElement} */ (one).focus();
  }

  /** Count what was left for later, unless another click comes; draw it where it has changed. @param {Counted} counted @param {AbortSignal} signal */
  async settle({ filter, set, later }, signal) {
    if (!later.length) return;
    await new Promise((resolve) => setTimeout(resolve, LATER));
    if (signal.aborted) return;
    const before = JSON.stringify(later.map(({ field }) => this.held(field, filter, set)));
    const told = await this.on.count(asked(later), signal);
    if (!signal.aborted && JSON.stringify(later.map(({ field }) => told.facets[field])) !== before) this.draw({ filter, set, told, later: [] });
  }

  /** @param {Facet} one @returns {HTMLElement | null} */
  drawn(one) {
    const { field } = one;
    const open = this.open?.has(field);
    const facet = this.held(field);
    if (open && facet && !some(facet)) return null;
    const made = h("details", { class: "facet", "data-field": field, open }, h("summary", { "data-value": field }, field), h("div", {}, open && facet && this.body(one, facet)));
    made.addEventListener("toggle", () => {
      if (made.open) this.open?.add(field);
      else this.open?.delete(field);
      if (made.open && !made.querySelector("[data-value]:not(summary)")) void this.fill(one);
    });
    if (open && !facet) void this.fill(one);
    return made;
  }

  /** @param {Facet} one @param {any} facet @returns {HTMLElement} */
  body({ field, cuts: ranges }, facet) {
    if (!some(facet)) return h("p", { class: "hint" }, "No record here has a value.");
    return ranges ? histogram(field, facet, (range) => this.ranged(field, range)) : values(field, facet, (value) => this.on.change(toggled(this.on.filter(), field, value)));
  }

  /** Show a facet that was opened, once it is counted. @param {Facet} one */
  async fill(one) {
    const { filter, set } = this;
    const show = (/** @type {Node} */ what) => this.place.querySelector(`[data-field="${CSS.escape(one.field)}"] > div`)?.replaceChildren(what);
    try {
      if (!this.held(one.field)) {
        show(h("div", { class: "skeleton block" }));
        this.learn(filter, set, await this.on.count(asked([one])));
      }
      const facet = this.held(one.field); // the filter may be another one by now: `draw` sees to that
      if (facet) show(this.body(one, facet));
    } catch (error) {
      show(errorBox(error, () => void this.fill(one)));
    }
  }

  /** @param {string} field @param {any} range as it was clicked or typed */
  ranged(field, range) {
    const filter = this.on.filter();
    const same = JSON.stringify(filter?.[field]) === JSON.stringify(range) || !Object.keys(range).length;
    this.on.change(same ? without(filter, field) : { ...filter, [field]: range });
  }
}

/** @param {any} facet */
const some = (facet) => facet.values.some((/** @type {any} */ one) => one.count || one.selected);

/** @param {string} field @param {any} facet @param {(value: any) => void} on */
function values(field, facet, on) {
  const rows = facet.values.map((/** @type {any} */ one) => h("li", {}, h("button", {
    type: "button", class: "facet-value", "aria-pressed": String(Boolean(one.selected)), "data-value": `${field}=${JSON.stringify(one.value)}`, onclick: () => on(one.value),
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
 * @param {(range: any) => void} on
 */
function histogram(field, facet, on) {
  const bins = facet.values.map((/** @type {any} */ one) => ({ range: one.value, from: one.value.$gte ?? null, to: one.value.$lt ?? one.value.$lte ?? null, count: one.count, selected: one.selected }));
  for (const end of [0, -1]) { // an open range that holds nothing
    const one = bins.at(end);
    if (bins.length > 1 && !one.count && !one.selected) bins.splice(end, 1);
  }
  const most = Math.max(1, ...bins.map((/** @type {any} */ one) => one.count));
  const bars = bins.map((/** @type {any} */ one) => {
    const bar = h("button", { type: "button", class: "bin", "aria-pressed": String(Boolean(one.selected)), "data-value": `${field}=${one.from}`,
      title: `${span(one)}: ${number(one.count)}`, "aria-label": `${field} ${span(one)}: ${number(one.count)} pictures`, onclick: () => on(one.range) }, h("i", {}));
    bar.firstElementChild.style.height = `${one.count ? Math.max(6, (100 * one.count) / most) : 0}%`;
    return bar;
  });
  const low = h("input", { type: "number", step: "any", placeholder: "from", "aria-label": `${field} from`, "data-value": `${field}<` });
  const high = h("input", { type: "number", step: "any", placeholder: "to", "aria-label": `${field} to`, "data-value": `${field}>` });
  const apply = () => on({ ...(low.value === "" ? {} : { $gte: Number(low.value) }), ...(high.value === "" ? {} : { $lte: Number(high.value) }) });
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
  const names = fields.filter((one) => one.cuts).map((one) => one.field);
  const held = chosen.replace(/^-/, "");
  if (held && !names.includes(held)) names.push(held);
  sort.replaceChildren(h("option", { value: "" }, nearest ? "Nearest first" : "Default order"),
    ...names.flatMap((name) => [h("option", { value: name }, `${name}, low to high`), h("option", { value: `-${name}` }, `${name}, high to low`)]));
  sort.value = chosen;
}
