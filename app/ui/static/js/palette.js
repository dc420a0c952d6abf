/** `Ctrl K`: everything that a key or a link does, by its name. */

import { byId, h } from "./dom.js";
import { current } from "./keys.js";

/** @typedef {{name: string, note: string, action: () => void}} Entry */

/** @returns {Entry[]} */
function entries() {
  const chooser = byId("chooser");
  const collections = chooser ? [...chooser.options].filter((one) => !one.selected).map((one) => ({
    name: `Open ${one.value}`, note: "collection", action: () => { chooser.value = one.value; chooser.form.submit(); },
  })) : [];
  const actions = current().map((one) => ({ name: one.does, note: one.keys, action: () => one.action(new KeyboardEvent("keydown")) }));
  return [...actions, ...collections];
}

/** Ask what to do. */
export function showPalette() {
  if (document.querySelector("dialog[open]")) return;
  const all = entries();
  /** @type {Entry[]} */
  let some = all;
  let at = 0;
  const list = h("ul", { role: "listbox", id: "palette-list", "aria-label": "What to do" });
  const field = h("input", { type: "text", placeholder: "What do you want to do?", role: "combobox", autocomplete: "off", "aria-expanded": "true", "aria-controls": "palette-list", "aria-label": "What do you want to do?" });
  const dialog = h("dialog", { class: "card palette", "aria-label": "Palette", onclose: () => dialog.remove() }, field, list);
  const choose = (/** @type {Entry | undefined} */ one) => { dialog.close(); one?.action(); };
  const draw = () => {
    list.replaceChildren(...some.map((one, n) => h("li", { role: "option", id: `palette-${n}`, "aria-selected": String(n === at), onclick: () => choose(one) }, h("span", {}, one.name), h("span", { class: "soft" }, one.note))));
    field.setAttribute("aria-activedescendant", some.length ? `palette-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/);
    some = all.filter((one) => words.every((/** @type {string} */ word) => `${one.name} ${one.note}`.toLowerCase().includes(word)));
    at = 0;
    draw();
  });
  field.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") choose(some[at]);
    else if (event.key === "ArrowDown") at = Math.min(some.length - 1, at + 1);
    else if (event.key === "ArrowUp") at = Math.max(0, at - 1);
    else return;
    event.preventDefault();
    if (event.key !== "Enter") draw();
  });
  draw();
  document.body.append(dialog);
  dialog.showModal();
}
