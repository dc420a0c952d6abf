/** Tables whose rows are links: the keys j and k go from one to the next. */

import { bind } from "./keys.js";

/** @param {number} by */
function step(by) {
  const links = /** @type {HTMLAnchorElement[]} */ ([...document.querySelectorAll("#rows th a")]);
  const at = links.findIndex((link) => link === document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}

/** Bind the keys; `what` names what a row is. @param {string} what */
export function bindRows(what) {
  bind("j", `next ${what}`, () => step(1));
  bind("k", `${what} before`, () => step(-1));
}
