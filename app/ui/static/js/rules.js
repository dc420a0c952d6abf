/** The rules of the suggestion: a list in an order that is shown, and changed by buttons. */

import { collection } from "./api.js";
import { h, icon } from "./dom.js";

const USUAL = ["most_attributes", "largest_picture", "oldest"];
const PLAIN = /** @type {Record<string, string>} */ ({ largest_picture: "The largest picture", most_attributes: "The most attributes", oldest: "The oldest", newest: "The newest" });
const KEY = `lookalike.rules.${collection}`;

/** What a rule prefers, in words. @param {any} rule */
export function sentence(rule) {
  if (typeof rule === "string") return PLAIN[rule] ?? rule;
  if (rule?.lowest !== undefined) return `The lowest “${rule.lowest}”`;
  if (rule?.highest !== undefined) return `The highest “${rule.highest}”`;
  if (rule?.prefix !== undefined) return `An id that begins with “${rule.prefix}”`;
  if (rule?.prefer !== undefined) return `“${rule.prefer.field}”: ${(rule.prefer.values ?? []).join(", then ")}`;
  return JSON.stringify(rule);
}

/** What decided, as the server tells it, in words. @param {string | null} reason */
export function decided(reason) {
  if (!reason) return "";
  if (reason === "first_id") return "the first id, as no rule decided";
  const rule = reason.startsWith("{") ? JSON.parse(reason) : reason;
  const words = sentence(rule);
  return words.charAt(0).toLowerCase() + words.slice(1);
}

/** The rules that the address says, or those that were used last. @param {string | null} text @returns {any[]} */
export function read(text) {
  for (const one of [text, localStorage.getItem(KEY)]) {
    try {
      const rules = JSON.parse(one ?? "null");
      if (Array.isArray(rules)) return rules;
    } catch {
      // what was typed wrong into the address are no rules
    }
  }
  return USUAL;
}

/** @param {any[]} rules */
export const keep = (rules) => localStorage.setItem(KEY, JSON.stringify(rules));

/**
 * Draw the list.
 * @param {HTMLElement} place
 * @param {any[]} rules
 * @param {(rules: any[]) => void} change
 */
export function draw(place, rules, change) {
  const moved = (/** @type {number} */ at, /** @type {number} */ by) => {
    const next = [...rules];
    next.splice(at + by, 0, ...next.splice(at, 1));
    change(next);
    /** @type {HTMLElement | null} */ (place.querySelector(`[data-at="${at + by}"][data-by="${by}"]:enabled, [data-at="${at + by}"]:enabled`))?.focus();
  };
  const kind = h("select", { id: "rule-kind", class: "small-select" }, ...Object.entries(PLAIN).map(([value, name]) => h("option", { value }, name)),
    ...[["lowest", "The lowest of a field"], ["highest", "The highest of a field"], ["prefix", "An id that begins with"], ["prefer", "Values of a field, the best first"]].map(([value, name]) => h("option", { value }, name)));
  const field = h("input", { id: "rule-field", hidden: true, maxLength: 200 });
  const values = h("input", { id: "rule-values", hidden: true, maxLength: 2000, placeholder: "best, next, …", "aria-label": "Values, the best first" });
  kind.addEventListener("change", () => {
    field.hidden = kind.value in PLAIN;
    values.hidden = kind.value !== "prefer";
    field.placeholder = kind.value === "prefix" ? "text" : "field";
    field.setAttribute("aria-label", kind.value === "prefix" ? "Text that the id begins with" : "Field");
  });
  const form = h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (!field.hidden && !name) return field.focus();
    const list = values.value.split(",").map((/** @type {string} */ one) => one.trim()).filter(Boolean).map((/** @type {string} */ one) => (/^-?\d+(\.\d+)?$/.test(one) ? Number(one) : one));
    if (kind.value === "prefer" && !list.length) return values.focus();
    const rule = kind.value in PLAIN ? kind.value : kind.value === "prefer" ? { prefer: { field: name, values: list } } : { [kind.value]: name };
    change([...rules, rule]);
  } }, h("label", { class: "hidden", htmlFor: "rule-kind" }, "Another rule"), kind, field, values, h("button", { class: "small" }, icon("plus"), "Add"));
  place.replaceChildren(h("h2", {}, "Which one is kept"),
    h("p", { class: "soft" }, "Each rule leaves those that fit it best, until one is left."),
    h("ol", { class: "rule-list" }, ...rules.map((rule, at) => h("li", {}, h("span", {}, sentence(rule)),
      h("button", { type: "button", class: "small quiet", "data-at": at, "data-by": -1, "aria-label": `Earlier: ${sentence(rule)}`, title: "Earlier", disabled: at === 0, onclick: () => moved(at, -1) }, "↑"),
      h("button", { type: "button", class: "small quiet", "data-at": at, "data-by": 1, "aria-label": `Later: ${sentence(rule)}`, title: "Later", disabled: at === rules.length - 1, onclick: () => moved(at, 1) }, "↓"),
      h("button", { type: "button", class: "small quiet", "aria-label": `Remove: ${sentence(rule)}`, title: "Remove", onclick: () => change(rules.filter((_, other) => other !== at)) }, icon("close"))))), form);
}
