/** What every page does: the chooser, the keys of the screens, the list of keys. */

import { byId } from "./dom.js";
import { bind, showKeys } from "./keys.js";
import { showPalette } from "./palette.js";

document.documentElement.classList.add("js");
byId("chooser")?.addEventListener("change", (/** @type {any} */ event) => event.target.form.submit());
byId("keys-button")?.addEventListener("click", showKeys);
bind("?", "all keys", showKeys, "Everywhere");
for (const link of document.querySelectorAll("nav [data-key]")) {
  const one = /** @type {HTMLAnchorElement} */ (link);
  bind(`g ${one.dataset.key}`, `go to ${one.textContent?.trim()}`, () => one.click(), "Everywhere");
}
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key !== "k") return;
  event.preventDefault();
  showPalette();
});
