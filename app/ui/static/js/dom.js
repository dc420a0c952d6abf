/** Elements are made here and nowhere else: whatever a record holds becomes text, never HTML. */

/**
 * Make an element. Of `facts`, `on…` are listeners, `class`, `data-…` and the like attributes, other names properties;
 * what is undefined, null or false is left out.
 * @param {string} name
 * @param {Record<string, any>} [facts]
 * @param {...(Node|string|number|null|undefined|false)} children
 * @returns {any}
 */
export function h(name, facts = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(facts)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && !key.includes("-") && key !== "class" && key !== "list" && key !== "form") /** @type {any} */ (made)[key] = value;
    else made.setAttribute(key, value === true ? "" : String(value));
  }
  made.append(...children.filter((one) => one !== null && one !== undefined && one !== false).map((one) => (one instanceof Node ? one : String(one))));
  return made;
}

/**
 * An icon of the page's sprite.
 * @param {string} name
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Call a function once no further call came for a while.
 * @template {any[]} A
 * @param {(...given: A) => void} action
 * @param {number} milliseconds
 */
export function settled(action, milliseconds) {
  let timer = 0;
  return (/** @type {A} */ ...given) => {
    clearTimeout(timer);
    timer = window.setTimeout(() => action(...given), milliseconds);
  };
}

/** Say something to screen readers alone. @param {string} text */
export function announce(text) {
  const live = byId("live");
  if (live) live.textContent = text;
}

/** @param {number} value */
export const number = (value) => value.toLocaleString("en", { maximumFractionDigits: 2 });

/** A day as the server's pages write it, whatever the browser's language: `2026-11-28`. @param {string} at */
export const day = (at) => new Date(at).toISOString().slice(0, 10);

/** A moment as the server's pages write it: `2026-11-28 10:15 UTC`. @param {string} at */
export const moment = (at) => `${day(at)} ${new Date(at).toISOString().slice(11, 16)} UTC`;
