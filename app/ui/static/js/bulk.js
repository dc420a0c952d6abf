/** The suggestion for all groups at once: shown first with counts and a sample, then done by a job. */

import { call, learnThumbnails, pageOf, thumbnail } from "./api.js";
import { h, icon, number } from "./dom.js";
import { decided, sentence } from "./rules.js";
import { errorBox } from "./say.js";

const SAMPLE = 6;

/** @param {{radius: number, most: number, rules: any[], merge: boolean}} given */
export function askBulk({ radius, most, rules, merge }) {
  const within = h("input", { id: "bulk-radius", type: "number", min: 0, max: most, step: "any", value: String(radius), required: true });
  const chains = h("input", { type: "checkbox" });
  const merged = h("input", { type: "checkbox", checked: merge });
  const seen = h("div", { class: "stack", "aria-live": "polite" });
  const begin = h("button", { type: "button", class: "main bad", hidden: true });
  const body = () => ({ radius: Number(within.value), rules, chains: chains.checked, ...(merged.checked ? { merge: {} } : {}) });
  let tried = "";
  const form = h("form", { class: "stack", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    begin.hidden = true;
    seen.replaceChildren(h("p", { class: "soft" }, "Looking at every group…"));
    tried = JSON.stringify(body());
    try {
      const told = await call("/duplicates/v1/apply", { body: { ...body(), dry_run: true } });
      if (tried !== JSON.stringify(body())) return seen.replaceChildren();
      await show(told);
    } catch (error) {
      seen.replaceChildren(errorBox(error, () => form.requestSubmit()));
    }
  } }, h("h2", {}, "Apply the suggestion to all groups"),
    h("p", { class: "soft" }, "Of each group one is kept: ", rules.length ? rules.map(sentence).map((one, n) => (n ? one.charAt(0).toLowerCase() + one.slice(1) : one)).join(", then ") : "the first id", ". The others go to the trash, for 30 days."),
    h("div", { class: "row" }, h("label", { htmlFor: "bulk-radius" }, "All groups within"), within),
    h("label", { class: "check" }, chains, "Chains, too: their ends do not look like each other"),
    h("label", { class: "check" }, merged, "Take over attributes"),
    seen,
    h("div", { class: "row" }, h("button", {}, "Try it out"), begin, h("button", { type: "button", onclick: () => dialog.close() }, "Close")));
  const dialog = h("dialog", { class: "card bulk", "aria-label": "Apply the suggestion to all groups", onclose: () => dialog.remove() }, form);
  for (const one of [within, chains, merged]) one.addEventListener("change", () => { begin.hidden = true; seen.replaceChildren(); });

  /** @param {any} told */
  async function show(told) {
    const passed = told.groups.filter((/** @type {any} */ one) => one.error);
    const done = told.groups.filter((/** @type {any} */ one) => !one.error);
    // Spread over all, the nearest and the farthest among them.
    const sample = done.filter((/** @type {any} */ _, /** @type {number} */ n) => n % Math.max(1, Math.ceil(done.length / SAMPLE)) === 0).slice(0, SAMPLE);
    await learnThumbnails(sample.flatMap((/** @type {any} */ one) => one.members.slice(0, 5)));
    seen.replaceChildren(
      h("p", {}, h("strong", {}, `${number(told.removed_count)} of ${number(done.reduce((/** @type {number} */ all, /** @type {any} */ one) => all + one.members.length, 0))} pictures would go to the trash`), `, from ${number(done.length)} ${done.length === 1 ? "group" : "groups"}.`),
      passed.length ? h("details", {}, h("summary", {}, `${number(passed.length)} would be passed over`), h("ul", { class: "stack" }, ...passed.slice(0, 20).map((/** @type {any} */ one) => h("li", {}, `${one.members.join(", ")}: ${one.error}`)))) : "",
      sample.length ? h("h3", {}, `A sample of ${sample.length}`) : "",
      h("ul", { class: "sample" }, ...sample.map((/** @type {any} */ one) => h("li", {}, h("div", { class: "strip" }, ...one.members.slice(0, 5).map((/** @type {string} */ id) => h("figure", { class: id === one.keep ? "keeper" : "goes" },
        thumbnail(id) ? h("img", { src: thumbnail(id), alt: "", width: 64, height: 64 }) : null, h("figcaption", { title: id }, icon(id === one.keep ? "check" : "close"), h("span", {}, id))))),
        h("span", { class: "soft" }, `Keep ${one.keep}: ${decided(one.reason)}`)))));
    begin.textContent = `Remove ${number(told.removed_count)}`;
    begin.hidden = !told.removed_count;
  }

  begin.addEventListener("click", async () => {
    begin.disabled = true;
    try {
      const job = await call("/jobs/v1/duplicate-apply", { body: JSON.parse(tried) });
      location.href = pageOf(job);
    } catch (error) {
      begin.disabled = false;
      seen.append(errorBox(error));
    }
  });
  document.body.append(dialog);
  dialog.showModal();
}
