/** The panel beside the table: one record, its attributes as JSON, changed in place. */

import { collection, learnThumbnails, may, original, root, thumbnail } from "./api.js";
import { h, icon } from "./dom.js";
import { typedObject, WrongJson } from "./exactly.js";
import { fetchRecords, update } from "./record-changes.js";
import { copy, errorBox } from "./say.js";

/** What was typed and not saved, by record: another record may be looked at meanwhile. @type {Map<string, string>} */
const drafts = new Map();
addEventListener("beforeunload", (event) => { if (drafts.size) event.preventDefault(); });

/**
 * Show a record in the panel.
 * @param {HTMLElement} place
 * @param {string} id
 * @param {{close: () => void, remove: () => void, done: (text: string, undo?: () => Promise<any>) => void}} on
 * @param {AbortSignal} signal
 */
export async function showRecord(place, id, on, signal) {
  place.hidden = false;
  const body = h("div", { class: "stack" }, h("div", { class: "skeleton block" }));
  place.replaceChildren(h("div", { class: "details-head" }, h("h2", { tabIndex: -1 }, id), h("button", { type: "button", class: "quiet round", "aria-label": "Close the details", onclick: on.close }, icon("close"))), body);
  try {
    const [[record]] = await Promise.all([fetchRecords([id], ["*"], signal), learnThumbnails([id], signal)]);
    if (signal.aborted) return;
    if (!record) {
      drafts.delete(id);
      return void body.replaceChildren(h("p", {}, "This record is not there any more."));
    }
    const { _id, ...attributes } = record;
    const small = thumbnail(id);
    const image = small && h("img", { src: original(id), alt: `Picture of ${id}`, onerror: () => { if (image.getAttribute("src") !== small) image.src = small; else image.remove(); } });
    body.replaceChildren(h("div", { class: "stack" }, small ? h("div", { class: "big-picture" }, image) : h("p", { class: "soft" }, "No picture is kept of it."),
      h("p", { class: "copy-id" }, h("code", {}, id), h("button", { type: "button", class: "small", onclick: () => copy(id) }, icon("copy"), "Copy")),
      h("p", {}, h("a", { href: `${root}/console/search?${new URLSearchParams({ c: collection, q: `id:${id}` })}` }, "Search for what looks like it")),
      may.has("write") ? editor(id, attributes, on) : h("pre", {}, JSON.stringify(attributes, null, 2))));
  } catch (error) {
    if (!signal.aborted) body.replaceChildren(errorBox(error, () => void showRecord(place, id, on, signal)));
  }
}

/**
 * @param {string} id
 * @param {any} before
 * @param {{remove: () => void, done: (text: string, undo?: () => Promise<any>) => void}} on
 */
function editor(id, before, on) {
  const text = JSON.stringify(before, null, 2);
  const field = h("textarea", { id: "attributes", class: "mono", rows: 12, spellcheck: false, value: drafts.get(id) ?? text, "aria-describedby": "attributes-wrong" });
  const wrong = h("div", { id: "attributes-wrong" });
  const save = h("button", { class: "main", disabled: field.value === text }, "Save");
  const reset = h("button", { type: "button", hidden: field.value === text, onclick: () => { field.value = text; typed(); } }, "As it was");
  const typed = () => {
    save.disabled = field.value === text;
    reset.hidden = save.disabled;
    if (save.disabled) drafts.delete(id);
    else drafts.set(id, field.value);
    field.removeAttribute("aria-invalid");
    wrong.replaceChildren();
  };
  field.addEventListener("input", typed);
  const form = h("form", { class: "stack editor" }, h("label", { htmlFor: "attributes" }, "Attributes"), field, wrong,
    h("div", { class: "row" }, save, reset, h("button", { type: "button", class: "danger", title: "Del", onclick: on.remove }, "Remove the record")));
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    try {
      const change = difference(before, typedObject(field.value));
      if (!Object.keys(change).length) return reset.click();
      save.disabled = true;
      await update([{ _id: id, ...change }]);
      drafts.delete(id);
      const back = Object.fromEntries(Object.keys(change).map((key) => [key, before[key] ?? null]));
      on.done("Saved", async () => { await update([{ _id: id, ...back }]); return "As it was before"; });
    } catch (error) {
      save.disabled = false;
      field.setAttribute("aria-invalid", "true");
      if (error instanceof WrongJson) {
        wrong.replaceChildren(h("p", { class: "wrong", role: "alert" }, icon("warning"), error.message));
        field.focus();
        if (error.at >= 0) field.setSelectionRange(error.at, Math.min(error.at + 1, field.value.length));
      } else wrong.replaceChildren(errorBox(error));
    }
  });
  return form;
}

/**
 * What is sent so that attributes become others: those that differ, and null for those that are gone.
 * @param {any} before
 * @param {any} after
 */
export function difference(before, after) {
  /** @type {Record<string, any>} */
  const change = {};
  if ("_id" in after) throw new Error("The _id of a record stays: leave it out.");
  for (const [key, value] of Object.entries(after)) if (JSON.stringify(value) !== JSON.stringify(before[key])) change[key] = value;
  for (const key of Object.keys(before)) if (!(key in after)) change[key] = null;
  return change;
}
