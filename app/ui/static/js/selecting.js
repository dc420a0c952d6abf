/** Selected records of the grid: looked for, changed or removed together, and all of it undone. */

import { may } from "./api.js";
import { byId, h, icon, number } from "./dom.js";
import { bind } from "./keys.js";
import { editMany, fetchRecords, removeMany } from "./record-changes.js";
import { errorBox, toast } from "./say.js";

const BATCH = 100;
const WHERE = "Selected records";

/**
 * @typedef {{grid: import("./grid.js").PictureGrid, picked: () => string[], pick: (ids: string[]) => void, about: () => string,
 *   like: (ids: string[]) => void, changed: (there: Map<string, any>, gone: string[]) => void, anew: () => void}} Host
 */

/**
 * Bind the keys and the bar; return what draws it.
 * @param {Host} host
 */
export function bindSelection({ grid, picked, pick, about, like, changed, anew }) {
  const bar = byId("picked");
  const writes = may.has("write");
  /** @type {(() => Promise<void>)[]} */
  const undos = [];
  const chosen = () => (picked().length ? picked() : about() ? [about()] : []);

  /** Show what became of records. @param {string[]} ids */
  async function look(ids) {
    const there = new Map();
    for (let from = 0; from < ids.length; from += BATCH) for (const one of await fetchRecords(ids.slice(from, from + BATCH), ["*"])) there.set(one._id, one);
    changed(there, ids.filter((id) => !there.has(id)));
  }

  /** @param {string[]} ids @returns {import("./record-changes.js").Done} */
  const done = (ids) => (text, undo) => {
    const back = async () => {
      const at = undos.indexOf(back);
      if (at < 0 || !undo) return;
      undos.splice(at, 1);
      try {
        toast(await undo());
        anew();
      } catch (error) {
        undos.push(back);
        byId("messages").replaceChildren(errorBox(error, back));
      }
    };
    if (undo) undos.push(back);
    toast(text, undo ? { undo: back } : {});
    look(ids).catch((error) => byId("messages").replaceChildren(errorBox(error, anew)));
  };
  const edit = () => { const ids = chosen(); if (ids.length) editMany({ ids, filter: null, count: ids.length }, done(ids)); };
  const remove = () => {
    const ids = chosen();
    if (ids.length) removeMany({ ids, filter: null, count: ids.length }, done(ids)).catch((error) => byId("messages").replaceChildren(errorBox(error, remove)));
  };
  const here = () => { if (grid.contains(document.activeElement)) return grid.current; return grid.cells.findIndex((one) => one.id === about()); };

  grid.addEventListener("select", (/** @type {any} */ event) => pick(event.detail.ids));
  bind("x", "select it, or no longer", () => grid.select(here()), WHERE);
  bind("X", "select all up to here", () => grid.select(here(), true), WHERE);
  if (writes) {
    bind("e", "change attributes", edit, WHERE);
    bind("Delete", "move to the trash", remove, WHERE);
    bind("u", "undo", () => { const last = undos.at(-1); if (last) void last(); else toast("Nothing was changed here yet"); }, WHERE);
  }

  return () => {
    const ids = picked();
    grid.mark(ids);
    bar.hidden = !ids.length;
    bar.replaceChildren(...[h("strong", {}, `${number(ids.length)} selected`),
      h("button", { type: "button", class: "small", title: "More like these (m)", onclick: () => like(ids) }, icon("like"), "Like these"),
      writes && h("button", { type: "button", class: "small", title: "Change attributes (e)", onclick: edit }, "Change…"),
      writes && h("button", { type: "button", class: "small danger", title: "Move to the trash (Del)", onclick: remove }, "Remove"),
      h("button", { type: "button", class: "small quiet", title: "Esc", onclick: () => pick([]) }, "Select none")].filter((one) => one));
  };
}
