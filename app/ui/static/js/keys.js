/** Keys: one table for the page. None counts while a field has the focus, and all can be switched off. */

import { h } from "./dom.js";

/** @typedef {{keys: string, does: string, action: (event: KeyboardEvent) => void, where: string, when?: () => boolean}} Bound */

/** @type {Bound[]} */
export const bound = [];
const SWITCH = "lookalike.keys";
let before = "";
let timer = 0;

const off = () => localStorage.getItem(SWITCH) === "off";

/**
 * Bind a key, or two that follow each other (`g s`). Names are those of `KeyboardEvent.key`.
 * @param {string} keys
 * @param {string} does what it does, in a few words
 * @param {(event: KeyboardEvent) => void} action
 * @param {string} [where] the heading it stands under in the list of keys
 * @param {() => boolean} [when] says whether it counts now, for screens that have more than one view
 */
export function bind(keys, does, action, where = "This screen", when) {
  bound.push({ keys, does, action, where, when });
}

/** The keys that count now. */
export const current = () => bound.filter((one) => !one.when || one.when());

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=range], [type=checkbox], [type=radio], [type=button]), textarea, select"));
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (off() && event.key !== "?") return;
  if (typing(event.target)) {
    if (event.key === "Escape") /** @type {HTMLElement} */ (event.target).blur();
    return;
  }
  if (document.querySelector("dialog[open]")) return;
  const name = event.key === " " ? "Space" : event.key;
  const pair = before ? `${before} ${name}` : "";
  // What has the focus is pressed by these two.
  if ((name === "Enter" || name === "Space") && event.target instanceof Element && event.target.closest("a, button, summary, input")) return;
  if (/^(Arrow|Home|End|Page)/.test(name) && event.target instanceof Element && event.target.matches("input[type=range], input[type=radio]")) return;
  const some = current();
  const found = some.find((one) => one.keys === pair) ?? some.find((one) => one.keys === name);
  clearTimeout(timer);
  before = "";
  if (found) {
    event.preventDefault();
    found.action(event);
  } else if (some.some((one) => one.keys.startsWith(`${name} `))) {
    before = name;
    timer = window.setTimeout(() => (before = ""), 1200);
  }
});

/** Show the list of all keys. */
export function showKeys() {
  const groups = new Map();
  for (const one of current()) groups.set(one.where, [...(groups.get(one.where) ?? []), one]);
  const dialog = h("dialog", { class: "card keys", "aria-label": "Keys", onclose: () => dialog.remove() },
    h("form", { method: "dialog" }, h("h2", {}, "Keys"), h("button", { class: "quiet round", "aria-label": "Close" }, "✕")),
    ...[...groups].map(([where, some]) => h("section", {}, h("h3", {}, where),
      h("dl", {}, ...some.flatMap((/** @type {Bound} */ one) => [h("dt", {}, ...one.keys.split(" ").map((key) => h("kbd", {}, key))), h("dd", {}, one.does)])))),
    h("label", { class: "check" }, h("input", { type: "checkbox", checked: !off(), onchange: (/** @type {any} */ event) => localStorage.setItem(SWITCH, event.target.checked ? "on" : "off") }), "Keys are switched on"));
  document.body.append(dialog);
  dialog.showModal();
}
