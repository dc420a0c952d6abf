/** The screen Records. The URL is the state; whatever changes it goes through `go`, and `run` shows it. */

import { call, collection, learnThumbnails, may, method, thumbnail } from "./api.js";
import { announce, byId, h, icon, number } from "./dom.js";
import { editMany, removeMany } from "./record-changes.js";
import { showRecord } from "./record-details.js";
import { Panel } from "./facets.js";
import { bindFilter, drawFilter, filterError } from "./filterpanel.js";
import { askFor } from "./importing.js";
import { bind } from "./keys.js";
import { copy, empty, errorBox, toast } from "./say.js";
import * as at from "./state.js";

/** @typedef {{filter: any, sort: string, columns: string[] | null, pictures: boolean, after: string, page: number, chosen: string}} State */

const main = byId("records");
const sheet = byId("sheet");
const messages = byId("messages");
const panel = byId("details");
const size = Number(main.dataset.size);
const writes = may.has("write");
const COLUMNS = 5;
const MOST_IN_URL = 40;

/** @param {URLSearchParams} query @returns {State} */
function read(query) {
  return { filter: at.read(query).filter, sort: query.get("sort") ?? "", columns: query.has("col") ? query.getAll("col").filter(Boolean) : null, pictures: query.get("view") === "pictures",
    after: query.get("after") ?? "", page: Math.max(1, Number.parseInt(query.get("page") ?? "1", 10) || 1), chosen: query.get("record") ?? "" };
}

function url() {
  const query = new URLSearchParams({ c: collection });
  if (state.filter && Object.keys(state.filter).length) query.set("filter", JSON.stringify(state.filter));
  if (state.sort) query.set("sort", state.sort);
  for (const one of state.columns ?? []) query.append("col", one);
  if (state.columns?.length === 0) query.append("col", "");
  if (state.pictures) query.set("view", "pictures");
  if (state.after) { query.set("after", state.after); query.set("page", String(state.page)); }
  if (state.chosen) query.set("record", state.chosen);
  if (picked.size <= MOST_IN_URL) for (const id of picked) query.append("s", id);
  return `${location.pathname}?${query}`;
}

const start = new URLSearchParams(location.search);
let state = read(start);
/** Records that are selected, by `_id`; `everything`: all that match. */
const picked = new Set(start.getAll("s"));
let everything = false;
let total = 0;
let last = -1;
let next = "";
/** The fields that records have, the most frequent first. @type {string[]} */
let known = [];
/** @type {any[]} */
let rows = [];
let running = new AbortController();
let looking = new AbortController();

/** @param {Partial<State>} change @param {boolean} [replace] */
function go(change, replace = false) {
  const before = state;
  const anew = "filter" in change || "sort" in change;
  state = { ...state, ...change, ...(anew ? { after: "", page: 1 } : {}) };
  // The tokens of the pages before: a browser keeps them with the step, also over a reload.
  const tokens = anew || change.after === "" ? [] : change.after ? [...(history.state?.tokens ?? []), before.after] : history.state?.tokens ?? [];
  if ("filter" in change) unpick();
  history[replace ? "replaceState" : "pushState"]({ tokens }, "", url());
  shown(before);
}

addEventListener("popstate", () => {
  const before = state;
  state = read(new URLSearchParams(location.search));
  shown(before);
});

/** @param {State} [before] */
function shown(before) {
  drawFilter(state.filter, (filter) => go({ filter }));
  byId("view").setAttribute("aria-pressed", String(state.pictures));
  const asks = (/** @type {State} */ one) => JSON.stringify([one.filter, one.sort, one.after]);
  if (!before || asks(before) !== asks(state)) void run();
  else draw();
  if (!before || before.chosen !== state.chosen) look();
}

/** Ask for the page, and show it. */
async function run() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  sheet.classList.add("old");
  try {
    const sort = state.sort ? [{ [state.sort.replace(/^-/, "")]: state.sort.startsWith("-") ? -1 : 1 }] : undefined;
    const told = await call("/v2/find", { body: { filter: state.filter ?? {}, limit: size, fields_to_return: ["*"], page_token: state.after, sort }, signal, exactly: true });
    await learnThumbnails(told.answer_records.map((/** @type {any} */ one) => one._id), signal);
    rows = told.answer_records;
    next = told.page_token ?? "";
    last = -1;
    messages.replaceChildren();
    learn(rows);
    draw();
    void count(signal);
  } catch (error) {
    if (signal.aborted) return;
    rows = [];
    next = "";
    draw();
    sheet.replaceChildren();
    const first = state.after ? h("button", { type: "button", onclick: () => go({ after: "", page: 1 }) }, "To the first page") : "";
    messages.replaceChildren(errorBox(error, () => void run()), first);
    filterError(error);
  } finally {
    if (!signal.aborted) sheet.classList.remove("old");
  }
}

/** @param {any[]} records */
function learn(records) {
  const counts = new Map();
  for (const one of records) for (const field of Object.keys(one)) if (field !== "_id") counts.set(field, (counts.get(field) ?? 0) + 1);
  const hidden = (/** @type {string} */ field) => (field.startsWith("_") ? 1 : 0);
  const found = [...counts].sort(([a, n], [b, m]) => hidden(a) - hidden(b) || m - n).map(([field]) => field);
  known = [...new Set([...known, ...found])];
}

const columns = () => state.columns ?? known.filter((field) => !field.startsWith("_")).slice(0, COLUMNS);

const facetPanel = new Panel(byId("facets"), {
  filter: () => state.filter, change: (filter) => go({ filter }), count: (facets, signal) => method("facets", { filter: state.filter ?? undefined, facets }, signal),
});

/** @param {AbortSignal} signal */
async function count(signal) {
  try {
    const counted = await facetPanel.count(state.filter, "", signal);
    if (signal.aborted) return;
    total = counted.told.total_count;
    byId("count").textContent = `${number(total)} ${state.filter ? "match" : total === 1 ? "record" : "records"}`;
    announce(byId("count").textContent);
    facetPanel.draw(counted);
    drawPicked();
    drawPages();
    await facetPanel.settle(counted, signal);
  } catch (error) {
    if (!signal.aborted) byId("facets").replaceChildren(errorBox(error, () => void count(signal)));
  }
}

/** @param {any} value */
const said = (value) => (typeof value === "string" ? value : Array.isArray(value) && value.every((one) => typeof one !== "object") ? value.join(", ") : JSON.stringify(value));

function draw() {
  const ids = new Set(rows.map((one) => one._id));
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.closest?.("[data-id]");
  const back = focused instanceof HTMLElement && ids.has(focused.dataset.id) ? focused.dataset.id : undefined;
  sheet.classList.toggle("cards", state.pictures);
  if (rows.length) sheet.replaceChildren(state.pictures ? cards() : table());
  else none();
  if (back !== undefined) link(back)?.focus();
  drawColumns();
  drawSorts();
  drawPicked();
  drawPages();
}

/** @param {string} id @returns {HTMLElement | null} */
const link = (id) => sheet.querySelector(`[data-id="${CSS.escape(id)}"] a`);

/** @param {any} one @param {number} n */
const tick = (one, n) => h("input", { type: "checkbox", checked: everything || picked.has(one._id), disabled: everything, "aria-label": `Select ${one._id}`, onclick: (/** @type {MouseEvent} */ event) => pick(n, event.shiftKey) });
/** @param {any} one @param {...any} inside */
const opens = (one, ...inside) => h("a", { href: "#", onclick: (/** @type {Event} */ event) => { event.preventDefault(); go({ chosen: state.chosen === one._id ? "" : one._id }); } }, ...inside);
/** @param {any} one */
const picture = (one) => { const source = thumbnail(one._id); return source ? h("img", { class: "thumb", src: source, alt: "", loading: "lazy", width: 44, height: 44 }) : h("div", { class: "thumb" }); };

function table() {
  const shownColumns = columns();
  const held = state.sort.replace(/^-/, "");
  const head = (/** @type {string} */ field) => h("th", { scope: "col", "aria-sort": held === field ? (state.sort.startsWith("-") ? "descending" : "ascending") : undefined },
    h("button", { type: "button", title: `Sort by ${field}`, onclick: () => go({ sort: held !== field ? field : state.sort.startsWith("-") ? "" : `-${field}` }) }, field, held === field ? (state.sort.startsWith("-") ? " ↓" : " ↑") : ""));
  const all = h("input", { type: "checkbox", "aria-label": "Select the page", checked: rows.every((one) => picked.has(one._id)), onclick: () => pickPage() });
  return h("table", {}, h("thead", {}, h("tr", {}, writes && h("th", { scope: "col", class: "tick" }, all), h("th", { scope: "col" }, h("span", { class: "hidden" }, "Picture")), head("_id"), ...shownColumns.map(head))),
    h("tbody", { id: "rows" }, ...rows.map((one, n) => h("tr", { "data-id": one._id, "aria-current": state.chosen === one._id ? "true" : undefined, "aria-selected": String(everything || picked.has(one._id)) },
      writes && h("td", { class: "tick" }, tick(one, n)), h("td", {}, picture(one)),
      h("th", { scope: "row" }, opens(one, one._id), h("button", { type: "button", title: "Copy the _id", "aria-label": `Copy ${one._id}`, onclick: () => copy(one._id) }, icon("copy"))),
      ...shownColumns.map((field) => h("td", { class: typeof one[field] === "number" ? "number" : "" }, one[field] === undefined ? "" : h("span", { class: "cell-text", title: said(one[field]) }, said(one[field]))))))));
}

function cards() {
  return h("ol", { id: "rows" }, ...rows.map((one, n) => h("li", { "data-id": one._id, class: picked.has(one._id) || everything ? "on" : "" },
    writes && h("span", { class: "tick" }, tick(one, n)), opens(one, picture(one), h("span", { class: "name" }, one._id)),
    ...columns().slice(0, 3).filter((field) => one[field] !== undefined).map((field) => h("p", {}, `${field}: ${said(one[field])}`)))));
}

function none() {
  sheet.replaceChildren();
  if (messages.childElementCount) return;
  const some = at.conditions(state.filter);
  if (!some.length) return void messages.replaceChildren(empty("No records yet", "records", h("p", {}, writes ? "Add the first ones: paste JSON lines, or choose a file." : "Nobody has put any in."), writes ? h("button", { type: "button", class: "main", onclick: add }, "Add records") : ""));
  const list = h("ul", { class: "stack" });
  messages.replaceChildren(empty("Nothing matches all of this", "filter", list));
  for (const { field, text } of some) {
    const filter = at.without(state.filter, field);
    const button = h("button", { type: "button", onclick: () => go({ filter }) }, `Without “${text}”`);
    list.append(h("li", {}, button));
    method("find", { filter: filter ?? {}, limit: 1, count: true, fields_to_return: ["_id"] }, running.signal).then((told) => button.append(h("span", { class: "soft" }, ` ${number(told.total_count)} records`)), () => {});
  }
}

function drawColumns() {
  const now = columns();
  const fields = [...new Set([...known, ...now])];
  if (byId("columns").contains(document.activeElement) && byId("columns").childElementCount === fields.length) return;
  byId("columns").replaceChildren(...fields.map((field) => h("label", { class: "check" }, h("input", { type: "checkbox", checked: now.includes(field), onchange: (/** @type {any} */ event) =>
    go({ columns: event.target.checked ? [...columns(), field] : columns().filter((one) => one !== field) }, true) }), field)));
}

function drawSorts() {
  const held = state.sort.replace(/^-/, "");
  const names = [...new Set(["_id", ...known.filter((one) => !one.startsWith("_")), ...(held ? [held] : [])])];
  byId("sort").replaceChildren(h("option", { value: "" }, "Default order"), ...names.flatMap((name) => [h("option", { value: name }, `${name}, up`), h("option", { value: `-${name}` }, `${name}, down`)]));
  byId("sort").value = state.sort;
}

function drawPages() {
  byId("before").disabled = state.page === 1;
  byId("next").disabled = !next;
  const pages = total ? ` of ${number(Math.max(1, Math.ceil(total / size)))}` : "";
  byId("page-said").textContent = rows.length ? `Page ${number(state.page)}${pages}` : "";
}

const forth = () => next && go({ after: next, page: state.page + 1 });
function back() {
  if (state.page === 1) return;
  const tokens = history.state?.tokens ?? [];
  // Whoever came by a link does not know the pages before: the first is known to everybody.
  if (!tokens.length) return go({ after: "", page: 1 });
  const before = state;
  state = { ...state, after: tokens.at(-1), page: tokens.at(-1) ? state.page - 1 : 1 };
  history.pushState({ tokens: tokens.slice(0, -1) }, "", url());
  shown(before);
}

// Selection.
/** @param {number} n @param {boolean} [range] from the last that was selected to this */
function pick(n, range = false) {
  if (everything || !rows[n]) return;
  const on = !picked.has(rows[n]._id);
  const from = range && last >= 0 ? Math.min(last, n) : n;
  for (let m = from; m <= (range && last >= 0 ? Math.max(last, n) : n); m++) {
    if (on) picked.add(rows[m]._id);
    else picked.delete(rows[m]._id);
  }
  last = n;
  repick();
}
function pickPage() {
  const on = !rows.every((one) => picked.has(one._id));
  for (const one of rows) if (on) picked.add(one._id); else picked.delete(one._id);
  repick();
}
function unpick() {
  picked.clear();
  everything = false;
  last = -1;
}
function repick() {
  history.replaceState(history.state, "", url());
  draw();
}

/** @returns {import("./record-changes.js").Chosen} */
const chosen = () => ({ ids: everything ? null : [...picked], filter: state.filter ?? {}, count: everything ? total : picked.size });

function drawPicked() {
  const place = byId("picked");
  const many = everything ? total : picked.size;
  place.hidden = many === 0;
  if (!many) return void place.replaceChildren();
  const focus = place.contains(document.activeElement) ? document.activeElement?.textContent : null;
  place.replaceChildren(h("strong", { role: "status" }, `${number(many)} selected`),
    h("button", { type: "button", class: "small", title: "e", onclick: edit }, "Edit"),
    h("button", { type: "button", class: "small danger", title: "Del", onclick: remove }, "Remove"),
    everything || total <= picked.size ? null : h("button", { type: "button", class: "small", onclick: () => { everything = true; repick(); } }, `Select all ${number(total)} that match`),
    h("button", { type: "button", class: "small quiet", onclick: () => { unpick(); repick(); } }, "Clear the selection"));
  if (focus) for (const one of place.querySelectorAll("button")) if (one.textContent === focus) one.focus();
}

// Changes, the latest of which can be taken back.
/** @type {(() => Promise<any>)[]} */
const undos = [];
/** @param {string} text @param {() => Promise<any>} [undo] */
function done(text, undo) {
  if (undo) undos.push(undo);
  toast(text, { undo: undo && (() => void takeBack(undo)) });
  void run();
  looking.abort();
  look();
}
/** @param {() => Promise<any>} [undo] */
async function takeBack(undo = undos.at(-1)) {
  if (!undo) return;
  undos.splice(undos.indexOf(undo), 1);
  try {
    toast(await undo());
    void run();
    look();
  } catch (error) {
    messages.replaceChildren(errorBox(error, () => void takeBack(undo)));
  }
}

/** @returns {string} the record that keys are about */
const about = () => /** @type {HTMLElement | null | undefined} */ (document.activeElement?.closest?.("[data-id]"))?.dataset.id ?? state.chosen;
function edit() {
  if (picked.size || everything) return void editMany(chosen(), done);
  const id = about();
  if (id && id !== state.chosen) go({ chosen: id });
  byId("attributes")?.focus();
}
function remove() {
  const id = about();
  const what = picked.size || everything ? chosen() : id ? { ids: [id], filter: {}, count: 1 } : null;
  if (what) void removeMany(what, (text, undo) => {
    if (what.ids?.includes(state.chosen)) go({ chosen: "" }, true);
    unpick();
    repick();
    done(text, undo);
  }).catch((error) => messages.replaceChildren(errorBox(error)));
}
function add() {
  askFor([...byId("chooser").options].map((/** @type {HTMLOptionElement} */ one) => one.value), collection, { paste: true });
}

function look() {
  looking.abort();
  looking = new AbortController();
  main.classList.toggle("looking", Boolean(state.chosen));
  if (!state.chosen) return void (panel.hidden = true);
  void showRecord(panel, state.chosen, { close, done, remove: () => { unpick(); remove(); } }, looking.signal);
}
function close() {
  const id = state.chosen;
  go({ chosen: "" });
  link(id)?.focus();
}

/** @param {number} by */
function step(by) {
  const links = /** @type {HTMLElement[]} */ ([...sheet.querySelectorAll("[data-id] a")]);
  const here = links.findIndex((one) => one.closest("[data-id]") === document.activeElement?.closest?.("[data-id]"));
  links[Math.min(links.length - 1, Math.max(0, here + by))]?.focus();
}

bindFilter((filter) => go({ filter }));
byId("sort").addEventListener("change", (/** @type {any} */ event) => go({ sort: event.target.value }));
byId("view").addEventListener("click", () => go({ pictures: !state.pictures }));
byId("next").addEventListener("click", forth);
byId("before").addEventListener("click", back);
byId("add")?.addEventListener("click", add);
byId("facets-button").addEventListener("click", () => byId("facets-button").setAttribute("aria-expanded", String(main.classList.toggle("filtering"))));
document.addEventListener("click", (event) => { const menu = byId("columns-menu"); if (menu.open && !menu.contains(event.target)) menu.open = false; });

bind("j", "next record", () => step(1));
bind("k", "record before", () => step(-1));
bind("]", "next page", forth);
bind("[", "page before", back);
bind("v", "table or pictures", () => go({ pictures: !state.pictures }));
bind("f", "the filter as JSON", () => { main.classList.add("filtering"); byId("json-box").open = true; byId("json").focus(); });
if (writes) {
  bind("x", "select the record", () => { const n = rows.findIndex((one) => one._id === about()); if (n >= 0) pick(n); });
  bind("X", "select from the last to this", () => { const n = rows.findIndex((one) => one._id === about()); if (n >= 0) pick(n, true); });
  bind("a", "select the page", pickPage);
  bind("e", "edit", edit);
  bind("Delete", "remove", remove);
  bind("u", "take the last change back", () => void takeBack());
  bind("n", "add records", add);
  bind("t", "what was removed", () => byId("trash").click());
}
bind("Escape", "close the details, clear the selection", () => {
  if (state.chosen) return close();
  unpick();
  repick();
});
shown();
