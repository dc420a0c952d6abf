/** Import: a file, or lines that were pasted, are sent, shown as they will be read, and imported once that is right. */

import { call, pageOf } from "./api.js";
import { h, settled } from "./dom.js";
import { errorBox } from "./say.js";

/**
 * Ask for what is imported, and for where it goes.
 * @param {string[]} names of the collections
 * @param {string} [chosen] the one that is chosen at first
 * @param {{paste?: boolean}} [given] whether lines may be pasted, too
 */
export function askFor(names, chosen, { paste = false } = {}) {
  const into = h("select", { id: "into", name: "into" }, ...names.map((name) => h("option", { value: name, selected: name === chosen }, name)));
  const file = h("input", { type: "file", id: "file", required: !paste });
  const lines = h("textarea", { id: "lines", class: "mono", rows: 6, spellcheck: false, placeholder: '{"_id": "1", "_url": "https://…/shoe.jpg", "price": 35.5}' });
  const mode = h("select", { id: "mode" }, ...[["insert", "Insert: stored records stay"], ["upsert", "Upsert: stored records are replaced"], ["update_only", "Update only"]].map(([value, text]) => h("option", { value }, text)));
  const seen = h("div", { class: "preview stack", "aria-live": "polite" });
  const begin = h("button", { type: "submit", class: "main", disabled: true }, "Import");
  /** @type {any} */
  let source = null;
  let asking = new AbortController();
  const form = h("form", { class: "stack" }, h("h2", {}, "Import"),
    h("p", { class: "soft" }, "JSON lines, CSV, Parquet, or a ZIP or tar of pictures."),
    h("label", { htmlFor: "into" }, "Collection"), into, h("label", { htmlFor: "file" }, "File"), file,
    ...(paste ? [h("label", { htmlFor: "lines" }, "Or paste JSON lines or CSV"), lines] : []),
    h("label", { htmlFor: "mode" }, "What is written"), mode, seen,
    h("div", { class: "row" }, begin, h("button", { type: "button", onclick: () => dialog.close() }, "Close")));
  const dialog = h("dialog", { class: "card", "aria-label": "Import", onclose: () => { asking.abort(); dialog.remove(); } }, form);
  const preview = async () => {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    source = null;
    begin.disabled = true;
    const body = file.files.length ? file.files[0] : lines.value.trim() ? new Blob([lines.value]) : null;
    if (!body) return seen.replaceChildren();
    seen.replaceChildren(h("p", { class: "soft" }, "Sending it…"));
    try {
      const told = await call("/jobs/v1/import?preview=true", { body, collection: into.value, signal });
      source = told.source;
      begin.disabled = false;
      const { records, ...facts } = told.preview;
      seen.replaceChildren(h("h3", {}, "As it is read"),
        h("dl", {}, ...Object.entries(facts).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, typeof value === "string" ? value : JSON.stringify(value))])),
        h("pre", {}, records.map((/** @type {any} */ one) => JSON.stringify(one.record ?? { line: one.line, reason: one.reason })).join("\n")));
    } catch (error) {
      if (!signal.aborted) seen.replaceChildren(errorBox(error, preview));
    }
  };
  file.addEventListener("change", preview);
  into.addEventListener("change", preview);
  lines.addEventListener("input", settled(preview, 400));
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    begin.disabled = true;
    try {
      const job = await call("/jobs/v1/import", { body: { source, mode: mode.value }, collection: into.value });
      location.href = pageOf(job);
    } catch (error) {
      begin.disabled = false;
      seen.append(errorBox(error));
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}
