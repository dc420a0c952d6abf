/** The screen Search. The URL is the state; whatever changes it goes through `go`, and `run` shows it. */

import { collection, learnThumbnails, method, root, thumbnail } from "./api.js";
import { askBox } from "./crop.js";
import * as details from "./details.js";
import { announce, byId, h, icon, number, settled } from "./dom.js";
import { drawSorts, Panel } from "./facets.js";
import { bindFilter, drawFilter, filterError } from "./filterpanel.js";
import { PictureGrid } from "./grid.js";
import { bind } from "./keys.js";
import { fetchRecords } from "./record-changes.js";
import { copy, empty, errorBox, toast } from "./say.js";
import { bindSelection } from "./selecting.js";
import * as at from "./state.js";
import { base64, keep, kept } from "./store.js";

const PAGE = 60;
const NEAREST = 300;
const MOST_EXAMPLES = 10;
const main = byId("search");
const facts = main.dataset;
const grid = /** @type {PictureGrid} */ (byId("grid"));
const messages = byId("messages");
const panel = byId("details");
const usual = { side: Number(localStorage.getItem("lookalike.side")) || 176 };

/** @type {at.State} */
let state = at.read(new URLSearchParams(location.search));
let running = new AbortController();
let looking = new AbortController();
/** @type {{method: string, body: any}} */
let asked = { method: "find", body: {} };
/** @type {Map<string, {record: any, distance?: number}>} */
let found = new Map();
let token = "";
let loading = false;
let runs = 0;

/**
 * Change the state: the URL says so, and what it says is shown.
 * @param {Partial<at.State>} change
 * @param {boolean} [replace] do not leave a step for "back"
 */
function go(change, replace = false) {
  const before = state;
  state = { ...state, ...change };
  const url = `${location.pathname}?${at.write(state, collection)}`;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  shown(before);
}

addEventListener("popstate", () => {
  const before = state;
  state = at.read(new URLSearchParams(location.search));
  shown(before);
});

/** Show the state; search anew only where more than the chosen record changed. @param {at.State} [before] */
function shown(before) {
  controls();
  const plain = (/** @type {at.State} */ one) => JSON.stringify({ ...one, chosen: "", picked: [] });
  if (!before || plain(before) !== plain(state)) void run();
  if (!before || before.chosen !== state.chosen) look();
  drawSelection();
}

/** @param {at.Example} one @returns {Promise<any>} */
async function queryRecord(one) {
  const box = one.box ? { _box: one.box } : {};
  if (one.kind === "id") return { _id: one.value };
  if (one.kind === "url") return { _url: one.value, ...box };
  if (one.kind === "text") return { _text_data: one.value };
  const picture = await kept(one.value);
  if (!picture) throw new Error("This picture is in the browser that it was dropped into, not in this one. Drop it here again.");
  // It is not sent first: the server would refuse it with this sentence.
  if (picture.size > Number(facts.mostBytes)) throw new Error(`The picture has ${picture.size} bytes; ${facts.mostBytes} are allowed.`);
  return { _base64: await base64(picture), ...box };
}

/** @returns {Promise<{method: string, body: any}>} the request that the state means, without its page */
async function request() {
  const body = /** @type {any} */ ({ fields_to_return: ["*"], filter: state.filter ?? {} });
  const sorted = state.sort && [{ [state.sort.replace(/^-/, "")]: state.sort.startsWith("-") ? -1 : 1 }];
  const likes = state.examples.filter((one) => one.sign > 0);
  if (!likes.length) return { method: "find", body: sorted ? { ...body, sort: sorted } : body };
  if (state.radius !== null) body.radius = state.radius;
  if (sorted) body.sort = sorted;
  if ((sorted || state.variety) && state.radius === null) body.candidates = NEAREST;
  if (state.variety && !sorted) body.diversity = state.variety;
  const field = facts.productField;
  if (field) body.product_field = state.every ? "" : field;
  const unlike = state.examples.filter((one) => one.sign < 0);
  if (likes.length === 1 && !unlike.length) return { method: "visualKNN", body: { ...body, query_record: await queryRecord(likes[0]) } };
  const [query_records, negative_records] = await Promise.all([Promise.all(likes.map(queryRecord)), Promise.all(unlike.map(queryRecord))]);
  return { method: "visualKNNMulti", body: { ...body, query_records, ...(unlike.length ? { negative_records } : {}) } };
}

/** Search, and show what is found. A search under way is given up. */
async function run() {
  running.abort();
  running = new AbortController();
  runs += 1;
  const { signal } = running;
  grid.classList.add("old");
  const skeleton = window.setTimeout(() => { if (!grid.cells.length) grid.wait(24); }, 100);
  try {
    asked = await request();
    token = "";
    // A click on a facet wants its counts, and listing is cheap; a search by likeness is not made to wait for them.
    const counts = asked.method === "find" && grid.cells.length ? counted(signal) : undefined;
    counts?.then((now) => signal.aborted || facetPanel.draw(now), () => {}); // `count` tells what is wrong
    const first = await page(0, signal);
    if (signal.aborted) return;
    messages.replaceChildren();
    found = new Map(first.map((one) => [one.record._id, one]));
    scrollTo(0, 0);
    grid.show(first.map(cell), first.length < PAGE ? first.length : first.length + PAGE);
    grid.classList.remove("old");
    byId("count").textContent = "";
    if (!first.length) void none(signal);
    void count(first.length, signal, counts);
  } catch (error) {
    if (signal.aborted) return;
    grid.show([]);
    grid.classList.remove("old");
    byId("count").textContent = "";
    messages.replaceChildren(errorBox(error, () => void run()));
    filterError(error);
  } finally {
    clearTimeout(skeleton);
  }
}

/** @param {number} from @param {AbortSignal} signal @returns {Promise<{record: any, distance?: number}[]>} */
async function page(from, signal) {
  const { method: name, body } = asked;
  const told = name === "find" ? await method(name, { ...body, limit: PAGE, page_token: token }, signal) : await method(name, { ...body, k: PAGE, from }, signal);
  token = told.page_token ?? "";
  const some = told.answer_records.map((/** @type {any} */ record, /** @type {number} */ n) => ({ record, distance: told.answer_distances?.[n] }));
  await learnThumbnails(some.map((/** @type {any} */ one) => one.record._id), signal);
  return some;
}

grid.addEventListener("more", async () => {
  if (loading || (asked.method === "find" && !token)) return;
  loading = true;
  const { signal } = running;
  try {
    const some = (await page(grid.cells.length, signal)).filter((one) => !found.has(one.record._id));
    for (const one of some) found.set(one.record._id, one);
    const more = asked.method === "find" ? Boolean(token) : some.length > 0;
    const cells = grid.cells.length + some.length;
    grid.total = cells;
    grid.add(some.map(cell), more ? cells + PAGE : cells);
    if (!more) grid.show(grid.cells, cells);
  } catch (error) {
    if (!signal.aborted) messages.replaceChildren(errorBox(error, () => { messages.replaceChildren(); grid.dispatchEvent(new CustomEvent("more")); }));
  } finally {
    loading = false;
  }
});

/** @param {{record: any, distance?: number}} one */
function cell({ record, distance }) {
  const title = typeof record.name === "string" && record.name ? record.name : record._id;
  return { id: record._id, picture: thumbnail(record._id), title, note: distance === undefined ? undefined : distance.toFixed(1) };
}

/** Whether only what lies within the cutoff counts. */
const cut = () => asked.method !== "find" && state.radius !== null;

const facetPanel = new Panel(byId("facets"), {
  filter: () => state.filter, change: (filter) => go({ filter }),
  count: async (facets, signal) => {
    const { fields_to_return: _, sort: __, diversity: ___, candidates: ____, ...rest } = asked.body;
    return cut() ? method(asked.method, { ...rest, facets, product_field: "", k: 1, count: true }, signal) : method("facets", { filter: rest.filter, facets }, signal);
  },
});

/** Ask for what matches, and the values of the facets. @param {AbortSignal} signal */
const counted = (signal) => facetPanel.count(state.filter, cut() ? `within ${runs}` : "", signal);

/**
 * Show what matches, and the values of the facets; they may come after the pictures.
 * @param {number} shownNow @param {AbortSignal} signal @param {ReturnType<typeof counted>} [asking] where that was asked before
 */
async function count(shownNow, signal, asking = counted(signal)) {
  try {
    const now = await asking;
    if (signal.aborted) return;
    const total = number(now.told.total_count);
    const words = cut() ? `${total} within ${state.radius}` : asked.method === "find" ? `${total} pictures` : state.filter ? `${total} match` : `${total} pictures`;
    byId("count").textContent = words;
    announce(`${words}, ${shownNow} shown`);
    if (asked.method === "find" && grid.cells.length < now.told.total_count && token) grid.add([], now.told.total_count);
    facetPanel.draw(now);
    drawSorts(byId("sort"), facetPanel.fields, state.sort, state.examples.some((one) => one.sign > 0));
    await facetPanel.settle(now, signal);
  } catch (error) {
    if (!signal.aborted && !messages.childElementCount) byId("facets").replaceChildren(errorBox(error, () => void count(shownNow, signal)));
  }
}

/** Say why nothing was found: which condition takes how many away, each of them removable. @param {AbortSignal} signal */
async function none(signal) {
  const some = at.conditions(state.filter);
  if (!some.length && state.radius === null) {
    const example = `curl -s ${location.origin}${root}/v2/insert -H 'Authorization: Token …' -H 'collection-id: ${collection}' \\\n  -d '{"records": [{"_id": "1", "_url": "https://…/shoe.jpg"}]}'`;
    const lines = h("pre", {}, h("code", {}, example));
    messages.replaceChildren(empty("No pictures yet", "picture", h("p", {}, "Put the first ones in:"), lines, h("button", { type: "button", onclick: () => void copy(example) }, icon("copy"), "Copy")));
    return;
  }
  const list = h("ul", { class: "stack" });
  messages.replaceChildren(empty("Nothing matches all of this", "filter", list));
  if (state.radius !== null) list.append(h("li", {}, h("button", { type: "button", onclick: () => go({ radius: null }) }, `Without the cutoff of ${state.radius}`)));
  for (const { field, text } of some) {
    const filter = at.without(state.filter, field);
    const button = h("button", { type: "button", onclick: () => go({ filter }) }, `Without “${text}”`);
    list.append(h("li", {}, button));
    method("find", { filter: filter ?? {}, limit: 1, count: true, fields_to_return: ["_id"] }, signal).then((told) => button.append(h("span", { class: "soft" }, ` ${number(told.total_count)} pictures`)), () => {});
  }
}

/** Show the chosen record, or close the panel. */
function look() {
  looking.abort();
  looking = new AbortController();
  grid.choose(state.chosen);
  main.classList.toggle("looking", Boolean(state.chosen));
  if (!state.chosen) return void (panel.hidden = true);
  void details.show(panel, state.chosen, { distance: found.get(state.chosen)?.distance, productField: facts.productField || undefined }, {
    similar, open: (id) => go({ chosen: id }), close: () => close(),
    example: (id, sign) => example({ kind: "id", value: id, sign }, true),
    filter: (field, value) => go({ filter: at.toggled(state.filter, field, value) }),
    asked: () => ({ method: asked.method, body: { ...asked.body, ...(asked.method === "find" ? { limit: PAGE } : { k: PAGE }) }, collection, origin: location.origin + root }),
  }, looking.signal);
}

function close() {
  const place = grid.cells.findIndex((one) => one.id === state.chosen);
  go({ chosen: "" });
  if (place >= 0) grid.focusAt(place);
}

/** @param {string} id */
const similar = (id) => go({ examples: [{ kind: "id", value: id, sign: 1 }], sort: "" });

/**
 * Look for an example: beside the others, or in their place.
 * @param {at.Example} one
 * @param {boolean} [beside]
 */
function example(one, beside = false) {
  const others = beside ? state.examples.filter((other) => !(other.kind === one.kind && other.value === one.value)) : [];
  go({ examples: [...others, one] });
}

/** @param {Blob | null | undefined} file @param {boolean} [beside] */
async function drop(file, beside = false) {
  if (!file) return;
  example({ kind: "up", value: await keep(file), sign: 1 }, beside);
}

/** Draw what the state says: chips, sliders, filter. */
function controls() {
  byId("examples").replaceChildren(...state.examples.map((one, n) => exampleChip(one, n)));
  drawFilter(state.filter, (filter) => go({ filter }));
  byId("clear").hidden = !state.filter && !state.examples.length && state.radius === null;
  const likes = state.examples.some((one) => one.sign > 0);
  for (const one of /** @type {NodeListOf<HTMLElement>} */ (main.querySelectorAll(".of-likeness"))) one.hidden = !likes;
  const most = Number(facts.scale);
  byId("within").value = String(state.radius ?? most);
  byId("within-said").textContent = state.radius === null ? "any" : `≤ ${number(state.radius)}`;
  byId("variety").value = String(state.variety);
  byId("variety-said").textContent = state.variety ? number(state.variety) : "off";
  byId("sort").value = state.sort;
  const every = byId("every");
  if (every) every.checked = state.every;
}

/** @param {at.Example} one @param {number} n */
function exampleChip(one, n) {
  const change = (/** @type {Partial<at.Example>} */ facts) => go({ examples: state.examples.map((other, m) => (m === n ? { ...other, ...facts } : other)) });
  const image = h("img", { alt: "", width: 26, height: 26 });
  const name = one.kind === "up" ? "your picture" : one.value;
  const chip = h("li", { class: `chip example${one.sign < 0 ? " unlike" : ""}` },
    h("button", { type: "button", class: "sign", title: one.sign > 0 ? "Like this; click for unlike" : "Unlike this; click for like", "aria-label": `${one.sign > 0 ? "Like" : "Unlike"} ${name}: change`, onclick: () => change({ sign: one.sign > 0 ? -1 : 1 }) }, icon(one.sign > 0 ? "plus" : "minus")),
    one.kind === "text" || one.kind === "url" ? icon(one.kind === "url" ? "link" : "search") : image, h("span", { title: name }, name));
  if (one.kind === "id") learnThumbnails([one.value]).then(() => { const small = thumbnail(one.value); if (small) image.src = small; else image.remove(); }, () => image.remove());
  if (one.kind === "up") {
    kept(one.value).then((picture) => {
      if (!picture) return image.remove();
      const source = URL.createObjectURL(picture);
      image.src = source;
      image.onerror = () => image.remove();
      image.onload = () => chip.querySelector("span")?.after(h("button", { type: "button", "aria-label": one.box ? "Change the part" : "Search by a part of it", title: "Search by a part of it", onclick: async () => {
        const box = await askBox(source, one.box);
        if (box !== undefined) change({ box: box ?? undefined });
      } }, icon("crop")));
    });
    if (one.box) chip.classList.add("cut");
  }
  chip.append(h("button", { type: "button", "aria-label": `Remove ${name}`, onclick: () => go({ examples: state.examples.filter((_, m) => m !== n) }) }, icon("close")));
  return chip;
}

// What is typed, dropped, pasted and chosen.
/** Search by what was typed. @param {boolean} beside the other examples, or in their place */
async function typed(beside) {
  const field = byId("words");
  const words = field.value.trim();
  if (!words) return field.focus();
  const url = /^https?:\/\//i.test(words);
  let kind = /** @type {at.Example["kind"]} */ (url ? "url" : "id");
  if (!url) {
    const known = await fetchRecords([words], ["_id"]).catch(() => null); // the search tells what is wrong
    if (known && !known.length) {
      if (!facts.readsText) return messages.replaceChildren(errorBox(new Error(`There is no record ${words}. ${facts.noText}`)));
      kind = "text";
    }
  }
  field.value = "";
  example({ kind, value: words, sign: 1 }, beside);
}
byId("query").addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); void typed(false); });
byId("beside").addEventListener("click", () => void typed(true));
byId("file").addEventListener("change", (/** @type {any} */ event) => { void drop(event.target.files[0]); event.target.value = ""; });
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])][0];
  if (file) { event.preventDefault(); void drop(file); }
});
for (const name of ["dragenter", "dragover"]) addEventListener(name, (event) => { event.preventDefault(); main.classList.add("dropping"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) main.classList.remove("dropping"); });
addEventListener("drop", (event) => {
  event.preventDefault();
  main.classList.remove("dropping");
  const file = [...(event.dataTransfer?.files ?? [])][0];
  const url = event.dataTransfer?.getData("text/uri-list");
  if (file) void drop(file, event.shiftKey);
  else if (url && /^https?:/.test(url)) example({ kind: "url", value: url, sign: 1 });
});
byId("within").addEventListener("input", settled((/** @type {any} */ event) => go({ radius: Number(event.target.value) >= Number(facts.scale) ? null : Number(event.target.value) }, true), 120));
byId("variety").addEventListener("input", settled((/** @type {any} */ event) => go({ variety: Number(event.target.value) }, true), 120));
byId("sort").addEventListener("change", (/** @type {any} */ event) => go({ sort: event.target.value }));
byId("every")?.addEventListener("change", (/** @type {any} */ event) => go({ every: event.target.checked }));
byId("side").value = String(usual.side);
byId("side").addEventListener("input", (/** @type {any} */ event) => { grid.resize(Number(event.target.value)); localStorage.setItem("lookalike.side", event.target.value); });
byId("clear").addEventListener("click", () => {
  const before = state;
  go({ examples: [], filter: null, radius: null, variety: 0, sort: "", chosen: "" });
  toast("Cleared", { undo: () => go(before) });
});
bindFilter((filter) => go({ filter }));
byId("facets-button").addEventListener("click", () => {
  const open = main.classList.toggle("filtering");
  byId("facets-button").setAttribute("aria-expanded", String(open));
});
grid.addEventListener("pick", (/** @type {any} */ event) => go({ chosen: event.detail.id === state.chosen ? "" : event.detail.id }));

/** @returns {string} the record that keys are about */
const about = () => (grid.contains(document.activeElement) ? grid.cells[grid.current]?.id : state.chosen) ?? "";
/** @param {string[]} ids */
const like = (ids) => go({ examples: ids.slice(0, MOST_EXAMPLES).map((id) => ({ kind: "id", value: id, sign: 1 })), sort: "", picked: [] });
const drawSelection = bindSelection({
  grid, about, like, picked: () => state.picked, pick: (ids) => go({ picked: ids }, true), anew: () => void run(),
  changed: (there, gone) => {
    const left = new Set(gone);
    const total = grid.total - gone.length;
    for (const id of gone) found.delete(id);
    for (const [id, record] of there) found.set(id, { ...found.get(id), record });
    const place = grid.cells.findIndex((one) => left.has(one.id));
    const inside = grid.contains(document.activeElement) || document.activeElement === document.body;
    grid.show(grid.cells.filter((one) => !left.has(one.id)).map((one) => { const known = found.get(one.id); return known ? cell(known) : one; }), total);
    if (inside && grid.cells.length) grid.focusAt(Math.max(0, place));
    go({ picked: state.picked.filter((id) => !left.has(id)), ...(left.has(state.chosen) ? { chosen: "" } : {}) }, true);
    if (there.has(state.chosen)) look();
    void count(grid.cells.length, running.signal);
  },
});
bind("/", "type what is looked for", () => byId("words").focus());
bind("m", "more like this, or like the selected", () => { if (state.picked.length) like(state.picked); else if (about()) similar(about()); });
bind("+", "also like this", () => { if (about()) example({ kind: "id", value: about(), sign: 1 }, true); });
bind("-", "unlike this", () => { if (about()) example({ kind: "id", value: about(), sign: -1 }, true); });
bind("f", "the filter as JSON", () => { main.classList.add("filtering"); byId("json-box").open = true; byId("json").focus(); });
bind("Escape", "close the details, select none", () => { if (state.chosen) close(); else if (state.picked.length) go({ picked: [] }, true); });

grid.side = usual.side;
shown();
