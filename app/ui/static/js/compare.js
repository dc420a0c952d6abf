/** The facts of a group beside each other: those that differ stand first and bold, equal ones grey. */

import { h } from "./dom.js";

/** @typedef {{id: string, record: any, picture: string}} Column */

/** @param {any} value */
const text = (value) => (value === undefined ? "–" : typeof value === "string" ? value : Array.isArray(value) && value.every((one) => typeof one !== "object") ? value.join(", ") : JSON.stringify(value));

/** @param {any} record */
const fields = (record) => Object.keys(record ?? {}).filter((field) => field !== "_id" && field !== "_file");

/**
 * @param {Column[]} columns
 * @param {{kept: Set<string>, merged?: {before: any, after: any} | null}} given
 * @returns {HTMLElement}
 */
export function table(columns, { kept, merged }) {
  const names = [...new Set(columns.flatMap((one) => fields(one.record)))];
  if (merged) for (const field of fields(merged.after)) if (!names.includes(field)) names.push(field);
  const rows = names.map((field) => ({ field, values: columns.map((one) => one.record?.[field]), after: merged?.after[field], before: merged?.before[field] }));
  const pictures = columns.map((one) => one.picture);
  const all = [{ field: "picture", values: pictures, after: undefined, before: undefined }, ...rows.filter(differs), ...rows.filter((row) => !differs(row))];
  return h("table", { class: "compare" },
    h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Fact"), ...columns.map((one, n) => h("th", { scope: "col", class: kept.has(one.id) ? "kept" : "" }, h("span", { class: "place" }, String(n + 1)), one.id)), merged && h("th", { scope: "col", class: "merged" }, "After the merge"))),
    h("tbody", {}, ...all.map((row) => h("tr", { class: differs(row) ? "differs" : "same" }, h("th", { scope: "row" }, row.field),
      ...row.values.map((value) => h("td", { class: value === undefined ? "none" : "" }, differs(row) && value !== undefined ? h("b", {}, text(value)) : text(value))),
      merged && h("td", { class: "merged" }, row.field === "picture" ? "" : changed(row) ? h("ins", {}, text(row.after)) : text(row.after))))));
}

/** @param {{values: any[]}} row */
const differs = (row) => new Set(row.values.map((value) => JSON.stringify(value) ?? "")).size > 1;

/** @param {{before: any, after: any}} row */
const changed = (row) => JSON.stringify(row.before) !== JSON.stringify(row.after);
