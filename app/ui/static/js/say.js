/** Toasts, error boxes, empty states: how the console speaks. */

import { byId, h, icon } from "./dom.js";
import { ApiError } from "./api.js";

const MOST_TOASTS = 2;

/**
 * Say in passing what was done, with a way back.
 * @param {string} text
 * @param {{undo?: () => void, seconds?: number}} [given]
 */
export function toast(text, { undo, seconds = undo ? 10 : 4 } = {}) {
  const shown = h("div", { class: "toast" }, text, undo && h("button", { type: "button", onclick: () => { shown.remove(); undo(); } }, "Undo"));
  const place = byId("toasts");
  while (place.childElementCount >= MOST_TOASTS) place.firstElementChild.remove();
  place.append(shown);
  window.setTimeout(() => shown.remove(), seconds * 1000);
}

/**
 * Return a box that tells an error: code, sentence, request id, and another try. 503 counts down and tries by itself.
 * @param {unknown} error
 * @param {() => void} [retry]
 */
export function errorBox(error, retry) {
  const told = error instanceof ApiError ? error : new ApiError(String(/** @type {any} */ (error)?.message ?? error), {});
  const button = retry && h("button", { type: "button", onclick: () => { window.clearInterval(timer); retry(); } }, icon("again"), h("span", {}, "Try again"));
  const box = h("div", { class: "error", role: "alert" }, icon("warning"),
    h("div", {}, h("strong", {}, told.code ? `Error ${told.code}` : "No answer"), h("p", {}, told.message),
      told.requestId && h("p", { class: "soft" }, "Request ", h("code", {}, told.requestId), " ",
        h("button", { type: "button", class: "link", onclick: () => copy(told.requestId) }, "copy")),
      button));
  let left = told.retryAfter;
  const tick = () => {
    if (!box.isConnected && left < told.retryAfter) return window.clearInterval(timer);
    if (left-- > 0) return void (button.lastChild.textContent = `Trying again in ${left + 1} s`);
    window.clearInterval(timer);
    return retry?.();
  };
  const timer = retry && left ? window.setInterval(tick, 1000) : 0;
  return box;
}

/**
 * Return an empty state: what there is not, and what to do.
 * @param {string} title
 * @param {string} picture
 * @param {...(Node|string)} body
 */
export const empty = (title, picture, ...body) => h("section", { class: "empty" }, icon(picture), h("h2", {}, title), ...body);

/**
 * Copy a text and say so; plain http:// has no clipboard of its own.
 * @param {string} text
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const field = h("textarea", { value: text, class: "hidden" });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  toast("Copied");
}
