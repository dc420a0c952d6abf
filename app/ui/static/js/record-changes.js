/** Changes of one record or of many: attributes, removal into the trash, and back. */

import { ApiError, call, learnThumbnails, method, skipped, thumbnail } from "./api.js";
import { dialogForm, labelled } from "./dialogs.js";
import { h, number, settled } from "./dom.js";
import { typedObject, WrongJson } from "./exactly.js";
import { errorBox } from "./say.js";

/** @typedef {{ids: string[] | null, filter: any, count: number}} Chosen records by `_id`, or all that match where there are no ids */
/** @typedef {(text: string, undo?: () => Promise<any>) => void} Done */

const batch = Number(/** @type {HTMLElement} */ (document.querySelector("[data-batch]")).dataset.batch);

/**
 * @param {string[]} ids
 * @param {string[]} fields
 * @param {AbortSignal} [signal]
 * @returns {Promise<any[]>} those that are there
 */
export async function fetchRecords(ids, fields, signal) {
  const told = await call("/v2/get", { body: { records: ids.map((_id) => ({ _id })), fields_to_return: fields }, signal, exactly: true })
    .catch((error) => { if (error instanceof ApiError && error.http === 404 && error.message.includes("record")) return { answer_records: [] }; throw error; });
  return told.answer_records;
}

/**
 * Change attributes; throws where one of the records was not changed.
 * @param {any[]} records
 */
export async function update(records) {
  const told = await method("update", { records, fields_to_return: ["_id"] });
  const why = skipped(told);
  if (why) throw new ApiError(why, { code: told.skipped_records[0]._reason.status.code });
}

/**
 * Yield the chosen records in batches.
 * @param {Chosen} chosen
 * @param {string[]} fields
 */
async function* batches(chosen, fields) {
  if (chosen.ids) {
    for (let from = 0; from < chosen.ids.length; from += batch) yield await fetchRecords(chosen.ids.slice(from, from + batch), fields);
    return;
  }
  // Page by page in the order of the ids, so that a change of an attribute moves no record to another page.
  for (let token = ""; ;) {
    const told = await call("/v2/find", { body: { filter: chosen.filter, limit: batch, fields_to_return: fields, page_token: token }, exactly: true });
    if (told.answer_records.length) yield told.answer_records;
    token = told.page_token ?? "";
    if (!token) return;
  }
}

/** All chosen records, before any is changed: what is changed may match no longer. @param {Chosen} chosen @param {string[]} fields @param {() => boolean} [on] */
async function gathered(chosen, fields, on = () => true) {
  const found = [];
  for await (const some of batches(chosen, fields)) {
    if (!on()) break;
    found.push(...some);
  }
  return found;
}

/** @param {any} record @param {any} change */
function changed(record, change) {
  const told = (/** @type {any} */ value) => (value === undefined || value === null ? "nothing" : JSON.stringify(value));
  return Object.entries(change).map(([key, value]) => h("p", {}, `${key}: `, h("del", {}, told(record[key])), " → ", h("ins", {}, told(value))));
}

/** Ask for attributes that many records get, show what becomes of some, and change them all. @param {Chosen} chosen @param {Done} done */
export function editMany(chosen, done) {
  const field = h("textarea", { id: "patch", class: "mono", rows: 6, spellcheck: false, value: "{\n  \n}" });
  const wrong = h("p", { class: "wrong", id: "patch-wrong", role: "alert" });
  const seen = h("div", { class: "stack", "aria-live": "polite" });
  const bar = h("progress", { max: Math.max(1, chosen.count), value: 0, hidden: true, "aria-label": "Changed" });
  const what = chosen.count === 1 ? "1 record" : `${number(chosen.count)} records`;
  /** @returns {any} */
  const typed = () => {
    wrong.textContent = "";
    field.removeAttribute("aria-invalid");
    try {
      const change = typedObject(field.value);
      if ("_id" in change) throw new Error("The _id of a record stays: leave it out.");
      return change;
    } catch (error) {
      wrong.textContent = /** @type {Error} */ (error).message;
      field.setAttribute("aria-invalid", "true");
      throw error;
    }
  };
  const preview = async () => {
    let change;
    try {
      change = typed();
    } catch {
      return seen.replaceChildren();
    }
    const keys = Object.keys(change);
    if (!keys.length) return seen.replaceChildren(h("p", { class: "soft" }, "Nothing changes yet."));
    try {
      const ids = chosen.ids?.slice(0, 3);
      const some = ids ? await fetchRecords(ids, ["*"]) : (await method("find", { filter: chosen.filter, limit: 3, fields_to_return: ["*"] })).answer_records;
      seen.replaceChildren(h("h3", {}, `${what} ${chosen.count === 1 ? "changes" : "change"}`), h("ul", { class: "changes" }, ...some.map((/** @type {any} */ one) => h("li", {}, h("strong", {}, one._id), ...changed(one, change)))));
    } catch (error) {
      seen.replaceChildren(errorBox(error, preview));
    }
  };
  field.addEventListener("input", settled(preview, 250));
  const dialog = dialogForm(`Edit ${what}`, [labelled("Attributes that they get", field, "As JSON. null takes an attribute away; all others stay."), wrong, seen, bar], {
    button: `Change ${what}`,
    send: async () => {
      let change;
      try {
        change = typed();
      } catch (error) {
        field.focus();
        if (error instanceof WrongJson && error.at >= 0) field.setSelectionRange(error.at, Math.min(error.at + 1, field.value.length));
        throw null;
      }
      const keys = Object.keys(change);
      if (!keys.length) throw new Error("Name one attribute at least.");
      bar.hidden = false;
      const before = (await gathered(chosen, ["_id", ...keys], () => dialog.open)).map((one) => ({ ...Object.fromEntries(keys.map((key) => [key, one[key] ?? null])), _id: one._id }));
      bar.max = Math.max(1, before.length);
      let at = 0;
      const undo = async () => {
        for (let from = 0; from < at; from += batch) await update(before.slice(from, Math.min(at, from + batch)));
        return `${number(at)} as before`;
      };
      try {
        for (; at < before.length && dialog.open; at = Math.min(before.length, at + batch)) {
          await update(before.slice(at, at + batch).map(({ _id }) => ({ _id, ...change })));
          bar.value = at + batch;
        }
      } catch (error) {
        // What is done is done, and can be taken back; the rest was not begun.
        if (at) done(`${number(at)} of ${number(before.length)} changed`, undo);
        throw error;
      }
      if (at) done(`${number(at)} changed`, undo);
    },
  });
}

/** @param {string[]} ids */
const restore = async (ids) => {
  /** @type {Record<string, string>} */
  const outcomes = {};
  for (let from = 0; from < ids.length; from += batch) Object.assign(outcomes, (await call("/duplicates/v1/trash/restore", { body: { records: ids.slice(from, from + batch) } })).outcomes);
  const back = Object.values(outcomes).filter((one) => one === "restored").length;
  const left = ids.length - back;
  return `${number(back)} restored${left ? `; ${number(left)} were not: ${[...new Set(Object.values(outcomes).filter((one) => one !== "restored"))].join(", ").replace("_", " ")}` : ""}`;
};

/** @param {string[]} ids @param {() => boolean} on @param {(number: number) => void} told */
async function removed(ids, on, told) {
  /** @type {string[]} */
  const gone = [];
  for (let from = 0; from < ids.length && on(); from += batch) {
    gone.push(...(await call("/duplicates/v1/trash/remove", { body: { records: ids.slice(from, from + batch) } })).removed);
    told(gone.length);
  }
  return gone;
}

/** Remove one record at once, many once that is confirmed; they come back by "undo" and from the trash. @param {Chosen} chosen @param {Done} done */
export async function removeMany(chosen, done) {
  const finish = (/** @type {string[]} */ gone) => gone.length && done(gone.length === 1 ? `${gone[0]} is removed` : `${number(gone.length)} removed`, () => restore(gone));
  if (chosen.count === 1 && chosen.ids) return void finish(await removed(chosen.ids, () => true, () => {}));
  const some = chosen.ids ? chosen.ids.slice(0, 6) : (await method("find", { filter: chosen.filter, limit: 6, fields_to_return: ["_id"] })).answer_records.map((/** @type {any} */ one) => one._id);
  await learnThumbnails(some);
  const bar = h("progress", { max: Math.max(1, chosen.count), value: 0, hidden: true, "aria-label": "Removed" });
  const dialog = dialogForm(`Remove ${number(chosen.count)} records?`, [
    h("ul", { class: "strip" }, ...some.map((/** @type {string} */ id) => h("li", {}, thumbnail(id) ? h("img", { src: thumbnail(id), alt: id, title: id, width: 64, height: 64 }) : h("code", {}, id)))),
    h("p", {}, "They go into the trash, from which they come back whole for 30 days."), bar,
  ], {
    button: "Remove them", danger: true,
    send: async () => {
      bar.hidden = false;
      const ids = chosen.ids ?? (await gathered(chosen, ["_id"], () => dialog.open)).map((one) => one._id);
      finish(await removed(ids, () => dialog.open, (count) => (bar.value = count)));
    },
  });
}
