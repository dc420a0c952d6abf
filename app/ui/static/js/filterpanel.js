/** The filter of a screen: chips, the same as JSON, and an error at its place. */

import { ApiError } from "./api.js";
import { byId, h, icon } from "./dom.js";
import * as at from "./state.js";

/** Draw a filter as chips, each removable, and as JSON. @param {any} filter @param {(filter: any) => void} change */
export function drawFilter(filter, change) {
  byId("conditions").replaceChildren(...at.conditions(filter).map(({ field, text }) => h("li", { class: "chip" }, h("span", { title: text }, text),
    h("button", { type: "button", "aria-label": `Remove ${text}`, onclick: () => change(at.without(filter, field)) }, icon("close")))));
  const json = byId("json");
  if (document.activeElement !== json) json.value = filter ? JSON.stringify(filter, null, 2) : "";
  byId("json-wrong").textContent = "";
  json.removeAttribute("aria-invalid");
}

/** Show an error of the filter at the filter; say whether it is one. @param {unknown} error */
export function filterError(error) {
  if (!(error instanceof ApiError) || !error.message.startsWith("filter")) return false;
  wrong(error.message);
  byId("json-box").open = true;
  return true;
}

/** @param {string} sentence */
function wrong(sentence) {
  byId("json-wrong").textContent = sentence;
  byId("json").setAttribute("aria-invalid", "true");
}

/** Take the filter that somebody typed as JSON. @param {(filter: any) => void} change */
export function bindFilter(change) {
  byId("json-form").addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const text = byId("json").value.trim();
    try {
      const filter = text ? JSON.parse(text) : null;
      if (filter !== null && (typeof filter !== "object" || Array.isArray(filter))) throw new Error("a filter is a JSON object");
      change(filter);
    } catch (error) {
      wrong(`This is no filter: ${/** @type {Error} */ (error).message}`);
    }
  });
}
