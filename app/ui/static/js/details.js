/** The panel beside the grid: one record, what looks like it, and the search to take elsewhere. */

import { learnThumbnails, method, original, thumbnail } from "./api.js";
import { h, icon, number } from "./dom.js";
import { copy, errorBox } from "./say.js";
import { snippet } from "./snippets.js";

/**
 * @typedef {{
 *   similar: (id: string) => void, example: (id: string, sign: 1 | -1) => void, open: (id: string) => void, close: () => void,
 *   filter: (field: string, value: any) => void,
 *   asked: () => {method: string, body: any, collection: string, origin: string}
 * }} On
 */

/**
 * Show a record in the panel.
 * @param {HTMLElement} place
 * @param {string} id
 * @param {{distance?: number, productField?: string}} known
 * @param {On} on
 * @param {AbortSignal} signal
 */
export async function show(place, id, known, on, signal) {
  place.hidden = false;
  const picture = h("div", { class: "big-picture skeleton" });
  const facts = h("dl", { class: "facts" });
  const others = h("div", { class: "others" });
  place.replaceChildren(
    h("div", { class: "details-head" }, h("h2", { tabIndex: -1 }, id), h("button", { type: "button", class: "quiet round", "aria-label": "Close the details", onclick: on.close }, icon("close"))),
    picture,
    h("div", { class: "actions" },
      h("button", { type: "button", class: "main", title: "m", onclick: () => on.similar(id) }, icon("like"), "More like this"),
      h("button", { type: "button", title: "Also like this", onclick: () => on.example(id, 1) }, icon("plus"), h("span", {}, "Also")),
      h("button", { type: "button", title: "Unlike this", onclick: () => on.example(id, -1) }, icon("minus"), h("span", {}, "Unlike"))),
    facts, others, copies(on));
  try {
    const [told] = await Promise.all([method("get", { records: [{ _id: id }], fields_to_return: ["*"] }, signal), learnThumbnails([id], signal)]);
    const record = told.answer_records?.[0];
    if (!record) throw new Error(`The record ${id} is not there any more.`);
    const title = typeof record.name === "string" ? record.name : id;
    place.querySelector("h2")?.replaceChildren(title);
    const small = thumbnail(id);
    const image = h("img", { src: original(id), alt: title, onerror: () => { if (small && image.getAttribute("src") !== small) image.src = small; else image.remove(); } });
    picture.classList.remove("skeleton");
    picture.append(image);
    facts.append(...pair("_id", id), ...(known.distance === undefined ? [] : pair("distance", number(known.distance))),
      ...Object.entries(record).filter(([field]) => field !== "_id" && field !== "_file").flatMap(([field, value]) => pair(field, value, on.filter)));
    await product(others, record, known.productField, on, signal);
  } catch (error) {
    if (signal.aborted) return;
    picture.remove();
    place.append(errorBox(error, () => void show(place, id, known, on, signal)));
  }
}

/**
 * @param {HTMLElement} place
 * @param {any} record
 * @param {string | undefined} field
 * @param {On} on
 * @param {AbortSignal} signal
 */
async function product(place, record, field, on, signal) {
  const value = field ? record[field] : undefined;
  if (!field || value === undefined || value === null) return;
  const told = await method("find", { filter: { [field]: value }, limit: 12, fields_to_return: ["name", "view"] }, signal);
  const ids = told.answer_records.map((/** @type {any} */ one) => one._id).filter((/** @type {string} */ one) => one !== record._id);
  if (!ids.length) return;
  await learnThumbnails(ids, signal);
  place.append(h("h3", {}, "Of the same product"), h("ul", { class: "strip" }, ...ids.map((/** @type {string} */ id) => h("li", {},
    h("button", { type: "button", title: id, onclick: () => on.open(id) }, h("img", { src: thumbnail(id), alt: id, width: 64, height: 64, loading: "lazy" }))))));
}

/**
 * @param {string} field
 * @param {any} value
 * @param {(field: string, value: any) => void} [filter]
 */
function pair(field, value, filter) {
  const one = (/** @type {any} */ part) => {
    const text = typeof part === "string" ? part : JSON.stringify(part);
    const plain = filter && part !== null && typeof part !== "object" && text.length < 200;
    return plain ? h("button", { type: "button", class: "value", title: `Only ${field} ${text}`, onclick: () => filter(field, part) }, text) : h("span", { class: "text" }, text);
  };
  const list = Array.isArray(value) && value.length <= 20 && value.every((part) => typeof part !== "object" || part === null);
  return [h("dt", {}, field), h("dd", {}, ...(list ? value.map(one) : [one(value)]))];
}

/** @param {On} on */
function copies(on) {
  const kinds = /** @type {const} */ ([["curl", "curl"], ["python", "Python"], ["sql", "SQL"]]);
  return h("div", { class: "copies" }, h("h3", {}, "Take this search elsewhere"), h("div", { class: "row" }, ...kinds.map(([kind, name]) =>
    h("button", { type: "button", class: "small", onclick: () => void copy(snippet(kind, on.asked())) }, icon("copy"), name))));
}
