/** The trash: what was removed, restored or deleted for good. */

import { call, collection, may, root } from "./api.js";
import { day, h, icon, moment, number } from "./dom.js";
import { empty, errorBox, toast } from "./say.js";

const PAGE = 100;

/**
 * List the trash.
 * @param {HTMLElement} list @param {HTMLElement} end @param {(text: string) => void} count @param {AbortSignal} signal
 */
export async function trash(list, end, count, signal) {
  /** @type {Map<string, HTMLElement>} */
  const rows = new Map();
  let before = 0;
  let total = 0;
  const chosen = () => [...rows].filter(([, row]) => /** @type {HTMLInputElement | null} */ (row.querySelector("input"))?.checked).map(([id]) => id);
  const some = () => chosen().length ? chosen() : null;
  const restore = h("button", { type: "button", class: "small", onclick: () => void back(chosen()) }, "Restore");
  const purge = h("button", { type: "button", class: "small danger", onclick: () => ask(some()) }, "Empty the trash…");
  const every = h("input", { type: "checkbox", "aria-label": "Choose all that are shown", onchange: () => { for (const row of rows.values()) /** @type {HTMLInputElement} */ (row.querySelector("input")).checked = every.checked; tell(); } });
  const bar = h("li", { class: "row trash-bar" }, h("label", { class: "check" }, every, "All"), restore, purge);

  function tell() {
    const many = chosen().length;
    count(total ? `${number(total)} in the trash${many ? `, ${number(many)} chosen` : ""}` : "");
    restore.disabled = !many;
    purge.textContent = many ? `Delete ${number(many)} for good…` : "Empty the trash…";
  }

  /** @param {string[]} ids */
  async function back(ids) {
    try {
      const { outcomes } = await call("/duplicates/v1/trash/restore", { body: { records: ids } });
      const stuck = Object.entries(outcomes).filter(([, outcome]) => outcome !== "restored");
      const done = ids.length - stuck.length;
      for (const [id, outcome] of Object.entries(outcomes)) {
        if (["restored", "stored", "absent"].includes(String(outcome))) drop(id);
        else rows.get(id)?.querySelector(".outcome")?.replaceChildren(outcome === "taken" ? "A record of this id was stored since." : outcome === "other_model" ? "The collection has another model now." : "It has expired meanwhile.");
      }
      toast(`${number(done)} ${done === 1 ? "is" : "are"} back${stuck.length ? `; ${number(stuck.length)} could not come back` : ""}`);
      finish();
    } catch (error) {
      end.replaceChildren(errorBox(error, () => void back(ids)));
    }
  }

  /** @param {string} id */
  function drop(id) {
    rows.get(id)?.remove();
    if (rows.delete(id)) total--;
  }

  function finish() {
    tell();
    if (!rows.size) void trash(list, end, count, signal).catch((error) => end.replaceChildren(errorBox(error)));
  }

  /** What is deleted for good cannot be undone: so this asks. @param {string[] | null} ids */
  function ask(ids) {
    const many = ids?.length ?? total;
    const wrong = h("div", {});
    const sample = (ids ?? [...rows.keys()]).slice(0, 6);
    const dialog = h("dialog", { class: "card", "aria-label": "Delete for good", onclose: () => dialog.remove() }, h("form", { class: "stack", onsubmit: async (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        const { purged } = await call("/duplicates/v1/trash/purge", { body: ids ? { records: ids } : { all: true } });
        dialog.close();
        toast(`${number(purged)} deleted for good`);
        for (const id of ids ?? [...rows.keys()]) drop(id);
        if (!ids) total = 0;
        finish();
      } catch (error) {
        wrong.replaceChildren(errorBox(error));
      }
    } }, h("h2", {}, `Delete ${number(many)} for good?`), h("p", {}, "They cannot come back: ", sample.join(", "), many > sample.length ? ` and ${number(many - sample.length)} more.` : "."), wrong,
    h("div", { class: "row" }, h("button", { class: "danger" }, "Delete for good"), h("button", { type: "button", onclick: () => dialog.close() }, "Keep them"))));
    document.body.append(dialog);
    dialog.showModal();
  }

  /** @param {any} one */
  function row(one) {
    const name = typeof one.attributes.name === "string" ? one.attributes.name : "";
    const tick = may.has("write") ? h("input", { type: "checkbox", "aria-label": `Choose ${one.id}`, onchange: tell }) : null;
    const picture = h("img", { src: `${root}/pictures/v1/${encodeURIComponent(collection)}/trashed?number=${one.number}`, alt: "", width: 64, height: 64, loading: "lazy", onerror: () => picture.remove() });
    const made = h("li", { class: "decision" }, tick, picture, h("div", {}, h("p", {}, h("strong", {}, one.id), name && name !== one.id ? ` ${name}` : ""),
      h("p", { class: "soft" }, `removed by ${one.removed_by}, `, h("time", { dateTime: one.removed_at }, moment(one.removed_at)), one.decision ? `, decision ${one.decision}` : "", `; comes back until ${day(one.purge_at)}`),
      h("p", { class: "wrong outcome", role: "status" })), may.has("write") ? h("button", { type: "button", class: "small", onclick: () => void back([one.id]) }, icon("again"), "Restore") : null);
    rows.set(one.id, made);
    return made;
  }

  const load = async () => {
    const page = await call("/duplicates/v1/trash", { body: { k: PAGE, ...(before ? { before } : {}) }, signal });
    if (signal.aborted) return;
    total = page.record_count;
    const fresh = page.records.map(row);
    if (before) list.append(...fresh);
    else list.replaceChildren(...(total && may.has("write") ? [bar] : []), ...fresh);
    before = page.next ?? 0;
    end.replaceChildren(...(before ? [h("button", { type: "button", onclick: () => load().catch((error) => end.replaceChildren(errorBox(error, () => void load()))) }, "More")] : []));
    if (!total) end.replaceChildren(empty("The trash is empty", "check", h("p", {}, "What is removed stands here for 30 days, and comes back whole.")));
    tell();
  };
  await load();
}
