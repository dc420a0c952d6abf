/** The screen Map: the pictures of a collection in a plane. The URL is the state; the lists beside it are its accessible twin. */

import { ApiError, call, collection, learnThumbnails, may, root, signIn, thumbnail } from "./api.js";
import { css, palette } from "./colours.js";
import * as details from "./details.js";
import { announce, byId, h, icon, number, settled } from "./dom.js";
import { facetsOf } from "./facets.js";
import { PictureGrid } from "./grid.js";
import { bind } from "./keys.js";
import { PictureMap } from "./plane.js";
import { empty, errorBox, toast } from "./say.js";

const PAGE = 60;
const OPEN = new Set(["queued", "running", "pausing"]);
const main = byId("map");
const map = /** @type {PictureMap} */ (byId("plane"));
const grid = /** @type {PictureGrid} */ (byId("grid"));
const panel = byId("details");
const messages = byId("messages");
const hint = byId("hint");
const base = `/maps/v1/${encodeURIComponent(collection)}`;

/** @typedef {{by: string, chosen: string, lasso: [number, number][], view: import("./plane.js").View | null}} State */
/** @type {State} */
let state = read();
/** @type {(string | null)[]} */
let ids = [];
/** @type {Map<string, number>} */
let places = new Map();
let version = "";
let layout = "none";
/** @type {number[]} */
let selected = [];
/** @type {Set<number>} codes that stand out; empty: all */
const only = new Set();
let asked = new AbortController();
let looking = new AbortController();

/** @returns {State} */
function read() {
  const query = new URLSearchParams(location.search);
  const numbers = (/** @type {string | null} */ text) => (text ?? "").split(",").map(Number).filter(Number.isFinite);
  const [x, y, zoom] = query.has("at") ? numbers(query.get("at")) : [];
  const flat = query.has("lasso") ? numbers(query.get("lasso")) : [];
  const lasso = /** @type {[number, number][]} */ (Array.from({ length: Math.floor(flat.length / 2) }, (_, n) => [flat[2 * n], flat[2 * n + 1]]));
  return { by: query.get("by") ?? "cluster", chosen: query.get("chosen") ?? "", lasso: lasso.length > 2 ? lasso : [], view: zoom === undefined ? null : { x, y, zoom } };
}

function write(replace = false) {
  const query = new URLSearchParams({ c: collection });
  if (state.by !== "cluster") query.set("by", state.by);
  if (state.view) query.set("at", [state.view.x, state.view.y, state.view.zoom].map((one) => one.toPrecision(4)).join(","));
  if (state.lasso.length) query.set("lasso", state.lasso.flat().map((one) => one.toPrecision(4)).join(","));
  if (state.chosen) query.set("chosen", state.chosen);
  history[replace ? "replaceState" : "pushState"](null, "", `${location.pathname}?${query}`);
}

/** @param {Partial<State>} change */
function go(change) {
  const before = state;
  state = { ...state, ...change };
  write();
  shown(before);
}

/** @param {State} before */
function shown(before) {
  if (before.by !== state.by) void colour();
  if (before.chosen !== state.chosen) look();
  if (JSON.stringify(before.lasso) !== JSON.stringify(state.lasso)) select();
}

addEventListener("popstate", () => {
  const before = state;
  state = read();
  if (state.view) map.look(state.view, true);
  shown(before);
});

/** Ask how far the map is, and show what there is. */
async function begin() {
  try {
    const told = await call(`${base}/state`, { verb: "GET" });
    const jobs = await call(`/jobs/v1/jobs?${new URLSearchParams({ collection, kind: "map", size: "1" })}`, { verb: "GET", collection: "" });
    const job = jobs.jobs[0];
    const running = job && OPEN.has(job.state) ? job : null;
    if (told.layout === "none" && !running) return nothing(job);
    if (told.outdated && !running) return outdated();
    if (running) void follow(running);
    if (told.layout !== "none" && !told.outdated) await open(told);
  } catch (error) {
    messages.replaceChildren(errorBox(error, () => { messages.replaceChildren(); void begin(); }));
  }
}

/** @param {string} text @param {any} [parameters] */
const starter = (text, parameters = {}) => may.has("write") && h("button", { type: "button", class: "main", onclick: () => void start(parameters) }, text);

/** @param {any} job */
function nothing(job) {
  const failed = job?.state === "failed" && h("p", { class: "wrong" }, `The last job failed: ${job.error}`);
  messages.replaceChildren(empty("No map yet", "map", h("p", {}, "A map shows all pictures of a collection in a plane in which neighbours look alike: what there is much of, and what stands alone."),
    ...[failed, starter("Make the map"), !may.has("write") && h("p", { class: "soft" }, "Somebody whose token may write can begin it.")].filter((one) => one instanceof Node),
    h("pre", {}, h("code", {}, `lookalike map build ${collection}`))));
  main.classList.add("without");
}

function outdated() {
  messages.replaceChildren(empty("The map is out of date", "map", h("p", {}, "The vectors were made anew since it was laid out, so that places mean nothing any more."),
    ...[starter("Make it anew", { anew: true })].filter((one) => one instanceof Node)));
  main.classList.add("without");
}

/** @param {any} parameters */
async function start(parameters) {
  try {
    void follow(await call("/jobs/v1/map", { body: parameters }));
  } catch (error) {
    messages.replaceChildren(errorBox(error));
  }
}

/** Show how far a job is, until it has ended; the components are a map before. @param {any} job */
async function follow(job) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of the map" });
  const words = h("span", {}, "");
  messages.replaceChildren(h("div", { class: "notice row", role: "status" }, icon("jobs"), words, bar, h("a", { href: `${root}/console/jobs?job=${job.id}` }, `Job ${job.id}`)));
  try {
    while (OPEN.has(job.state)) {
      bar.value = job.progress.total ? Math.min(1, job.progress.done / job.progress.total) : 0;
      words.textContent = job.state === "queued" ? "The map waits for a worker" : `The map is being made: ${job.progress.phase ?? "it begins"}`;
      await new Promise((resolve) => window.setTimeout(resolve, document.hidden ? 5000 : 1000));
      job = await call(`/jobs/v1/jobs/${job.id}`, { verb: "GET", collection: "" });
      if (layout === "none" && job.progress.done > 0) {
        const told = await call(`${base}/state`, { verb: "GET" });
        if (told.layout === "principal") await open(told);
      }
    }
    messages.replaceChildren();
    announce(`The job of the map is ${job.state.replaceAll("_", " ")}`);
    state = { ...state, view: null };
    await begin();
  } catch (error) {
    messages.replaceChildren(errorBox(error, () => void begin()));
  }
}

/** @param {string} path @returns {Promise<Response>} */
async function binary(path) {
  for (;;) {
    const answer = await fetch(root + path).catch(() => { throw new ApiError("The server cannot be reached. Is the network there?", {}); });
    if (answer.ok) return answer;
    if (answer.status === 401) { await signIn(); continue; }
    const told = await answer.json().catch(() => ({}));
    throw new ApiError(told.status?.error_description ?? `HTTP ${answer.status}`, { code: told.status?.code, http: answer.status, requestId: told.status?.request_id, retryAfter: Number(answer.headers.get("Retry-After")) || 0 });
  }
}

/** Read the points, and draw them; ids and colours may come after. @param {any} told */
async function open(told) {
  main.classList.remove("without");
  const answer = await binary(`${base}/points`);
  const points = new Float32Array(await answer.arrayBuffer());
  version = answer.headers.get("Map-Version") ?? "";
  layout = told.layout;
  map.show(points);
  if (state.view) map.look(state.view, true);
  else map.look({ x: map.whole.x, y: map.whole.y, zoom: 1 }, true);
  map.colour(new Uint8Array(points.length / 2), palette("plain"));
  map.dataset.ready = "1";
  const total = Number(answer.headers.get("Map-Points"));
  note(told, points.length / 2, total);
  const named = await call(`${base}/ids?version=${version}`, { verb: "GET" });
  ids = named.ids;
  places = new Map(ids.flatMap((id, place) => (id === null ? [] : [[id, place]])));
  await Promise.all([colour(), lists(), fields()]);
  select();
  look();
}

/** @param {any} told @param {number} drawn @param {number} total */
function note(told, drawn, total) {
  const left = Math.max(0, told.unplaced);
  const parts = [`${number(told.points + Math.min(left, 200))} pictures`];
  if (total > drawn) parts.push(`a sample of ${number(drawn)} is drawn, with all outliers`);
  if (told.layout === "principal") parts.push("by two principal components");
  if (told.placed) parts.push(`${number(told.placed)} were put beside their neighbours since it was laid out`);
  byId("count").textContent = parts.join(", ");
  const share = told.placed / Math.max(1, told.points);
  byId("anew").hidden = !may.has("write") || !(told.placed && (share > 0.02 || left > 200));
}

async function fields() {
  const chooser = byId("by");
  const some = (await facetsOf().catch(() => [])).map(({ field }) => field);
  const mine = state.by.startsWith("field:") ? state.by.slice(6) : "";
  if (mine && !some.includes(mine)) some.push(mine);
  chooser.replaceChildren(h("option", { value: "cluster" }, "Cluster"), h("option", { value: "" }, "One colour"),
    h("optgroup", { label: "Attribute" }, ...some.map((field) => h("option", { value: `field:${field}` }, field))),
    ...(state.by.startsWith("like:") ? [h("option", { value: state.by }, `Distance to ${state.by.slice(5)}`)] : []));
  chooser.value = state.by;
}

/** Colour the map as the state says. */
async function colour() {
  asked.abort();
  asked = new AbortController();
  const { signal } = asked;
  only.clear();
  if ([...byId("by").options].every((/** @type {HTMLOptionElement} */ one) => one.value !== state.by)) await fields();
  byId("by").value = state.by;
  const body = state.by === "cluster" ? { clusters: true } : state.by.startsWith("field:") ? { field: state.by.slice(6) } : state.by.startsWith("like:") ? { query_record: { _id: state.by.slice(5) } } : null;
  if (!body) {
    map.colour(new Uint8Array(map.count), palette("plain"));
    byId("legend").replaceChildren();
    return light();
  }
  try {
    const told = await call(`${base}/colours`, { body: { ...body, version }, signal });
    const codes = Uint8Array.from(atob(told.codes), (one) => one.charCodeAt(0));
    const others = told.legend.findIndex((/** @type {any} */ one) => one.others !== undefined);
    const colours = palette(told.kind, told.shades, others < 0 ? 255 : others);
    map.colour(codes, colours);
    legend(told, colours);
    light();
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError && error.http === 409) return void begin();
    byId("legend").replaceChildren(errorBox(error, () => void colour()));
  }
}

/** @param {any} told @param {Uint8Array} colours */
function legend(told, colours) {
  const box = (/** @type {number} */ code) => { const made = h("i", { class: "swatch", "aria-hidden": "true" }); made.style.background = css(colours, code); return made; };
  if (told.kind !== "values") {
    const bar = h("div", { class: "scale", "aria-hidden": "true" });
    bar.style.background = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map((share) => css(colours, Math.round(share * (told.shades - 1)))).join(",")})`;
    byId("legend").replaceChildren(h("p", {}, told.kind === "distances" ? "Distance" : state.by.slice(6)), bar, h("p", { class: "row between" }, h("span", {}, number(told.low)), h("span", {}, number(told.high))),
      ...(told.none ? [h("p", { class: "soft" }, `${number(told.none)} without one, grey`)] : []));
    return;
  }
  const name = (/** @type {any} */ one, /** @type {number} */ code) => (one.others !== undefined ? `${number(one.others)} other values` : state.by === "cluster" ? `Cluster ${code + 1}` : typeof one.value === "string" ? one.value : JSON.stringify(one.value));
  const entries = told.legend.slice(0, state.by === "cluster" ? 12 : 13);
  byId("legend").replaceChildren(h("ul", {}, ...entries.map((/** @type {any} */ one, /** @type {number} */ code) => {
    const button = h("button", { type: "button", class: "facet-value", "aria-pressed": "false", title: "Make these stand out", onclick: () => {
      if (!only.delete(code)) only.add(code);
      button.setAttribute("aria-pressed", String(only.has(code)));
      light();
    } }, box(code), h("span", { class: "name" }, name(one, code)), h("span", { class: "count" }, number(one.count)));
    return h("li", {}, button);
  })));
}

/** Dim what is not meant: by the legend, by the lasso. */
function light() {
  const lit = new Uint8Array(map.count).fill(selected.length ? 0 : 1);
  for (const place of selected) lit[place] = 1;
  if (only.size) for (let n = 0; n < lit.length; n++) if (!only.has(map.codes[n])) lit[n] = 0;
  const at = places.get(state.chosen);
  if (at !== undefined) lit[at] = 2;
  map.light(lit);
}

/** @param {any} one @param {string} note @param {string} [title] */
function card(one, note, title = one.id) {
  const picture = thumbnail(one.id);
  return h("button", { type: "button", class: "entry", title, "data-id": one.id, onclick: () => go({ chosen: one.id }) },
    picture ? h("img", { src: picture, alt: "", width: 44, height: 44, loading: "lazy", decoding: "async" }) : h("i", { class: "none", "aria-hidden": "true" }),
    h("span", { class: "name" }, title), h("span", { class: "note" }, note));
}

/** Draw the clusters and the outliers: what the map shows, as lists. */
async function lists() {
  const [some, far] = await Promise.all([call(`${base}/clusters`, { verb: "GET" }), call(`${base}/outliers?k=50`, { verb: "GET" })]);
  await learnThumbnails([...some.clusters, ...far.outliers].map((one) => one.id));
  const empty_ = layout === "principal" ? "They are known once neighbours are." : "There are none.";
  byId("clusters").replaceChildren(...(some.clusters.length ? some.clusters.map((/** @type {any} */ one) => h("li", {}, card(one, `${number(one.size)} pictures`, `Cluster ${one.cluster + 1}: ${one.id}`))) : [h("li", { class: "soft" }, empty_)]));
  byId("outliers").replaceChildren(...(far.outliers.length ? far.outliers.map((/** @type {any} */ one) => h("li", {}, card(one, one.distance.toFixed(1)))) : [h("li", { class: "soft" }, empty_)]));
  marks(some.clusters.slice(0, 16));
}

/** @param {any[]} some */
function marks(some) {
  map.mark(some.flatMap((one) => {
    const picture = thumbnail(one.id);
    if (!picture) return [];
    const box = h("div", { class: "mark", "aria-hidden": "true" }, h("img", { src: picture, alt: "", width: 40, height: 40, decoding: "async" }));
    return [{ box, x: one.x, y: one.y }];
  }));
}

/** Show what the lasso holds in the grid. */
function select() {
  map.path = state.lasso.length ? state.lasso : null;
  map.soon();
  selected = state.lasso.length ? map.within(state.lasso).filter((place) => ids[place] !== null && ids[place] !== undefined) : [];
  light();
  byId("selection").hidden = !state.lasso.length;
  if (!state.lasso.length) return;
  byId("selected").textContent = `${number(selected.length)} selected`;
  announce(`${number(selected.length)} pictures selected`);
  const link = byId("in-search");
  link.hidden = selected.length === 0 || selected.length > 100;
  const filter = JSON.stringify({ _id: { $in: selected.slice(0, 100).map((place) => ids[place]) } });
  link.href = `${root}/console/search?${new URLSearchParams({ c: collection, filter })}`;
  grid.show([], 0);
  void more(0);
}

/** @param {number} from */
async function more(from) {
  const some = selected.slice(from, from + PAGE).map((place) => /** @type {string} */ (ids[place]));
  await learnThumbnails(some).catch(() => {});
  if (grid.cells.length === from) grid.add(some.map((id) => ({ id, picture: thumbnail(id), title: id })), selected.length);
}

/** Show the chosen record, or close the panel. */
function look() {
  looking.abort();
  looking = new AbortController();
  grid.choose(state.chosen);
  light();
  if (!state.chosen) return void (panel.hidden = true);
  const to = (/** @type {Record<string, string>} */ query) => { location.href = `${root}/console/search?${new URLSearchParams({ c: collection, ...query })}`; };
  const { chosen } = state;
  void details.show(panel, chosen, {}, {
    similar: (id) => to({ q: `id:${id}` }), open: (id) => go({ chosen: id }), close: () => { go({ chosen: "" }); map.canvas.focus(); },
    example: (id, sign) => to({ q: `${sign < 0 ? "-" : ""}id:${id}` }),
    filter: (field, value) => to({ filter: JSON.stringify({ [field]: value }) }),
    asked: () => ({ method: "visualKNN", body: { query_record: { _id: chosen }, k: PAGE, fields_to_return: ["*"] }, collection, origin: location.origin + root }),
  }, looking.signal);
}

map.addEventListener("view", settled(() => { state = { ...state, view: { ...map.view } }; write(true); }, 250));
map.addEventListener("pick", (/** @type {any} */ event) => { const id = ids[event.detail]; if (id) go({ chosen: id }); });
map.addEventListener("lasso", (/** @type {any} */ event) => { draws(false); go({ lasso: thinned(event.detail) }); });
map.addEventListener("over", (/** @type {any} */ event) => void hover(event.detail.place, event.detail.at));
grid.addEventListener("more", () => void more(grid.cells.length));
grid.addEventListener("pick", (/** @type {any} */ event) => go({ chosen: event.detail.id }));

/** A path of at most 40 corners, so that a link is short. @param {[number, number][]} path */
function thinned(path) {
  const step = Math.ceil(path.length / 40);
  return path.filter((_, n) => n % step === 0).map(([x, y]) => /** @type {[number, number]} */ ([Number(x.toPrecision(4)), Number(y.toPrecision(4))]));
}

let under = -1;
/** Show the picture under the pointer. @param {number} place @param {{x: number, y: number}} at */
async function hover(place, at) {
  const id = ids[place];
  map.canvas.style.cursor = map.drawing ? "crosshair" : id ? "pointer" : "";
  hint.hidden = !id;
  if (!id) return void (under = -1);
  hint.style.transform = `translate(${Math.min(at.x + 14, map.clientWidth - 150)}px, ${Math.min(at.y + 14, map.clientHeight - 170)}px)`;
  if (place === under) return;
  under = place;
  await learnThumbnails([id]).catch(() => {});
  if (under !== place) return;
  const picture = thumbnail(id);
  hint.replaceChildren(...(picture ? [h("img", { src: picture, alt: "", width: 128, height: 128 })] : []), h("span", {}, id));
}

/** @param {boolean} on */
function draws(on) {
  map.drawing = on;
  byId("lasso").setAttribute("aria-pressed", String(on));
  main.classList.toggle("drawing", on);
}

byId("by").addEventListener("change", (/** @type {any} */ event) => go({ by: event.target.value }));
byId("lasso").addEventListener("click", () => draws(!map.drawing));
byId("fit").addEventListener("click", () => map.fit());
byId("in").addEventListener("click", () => map.zoom(1.5));
byId("out").addEventListener("click", () => map.zoom(1 / 1.5));
byId("clear").addEventListener("click", () => go({ lasso: [] }));
byId("anew").addEventListener("click", () => { byId("anew").hidden = true; toast("The map is laid out anew"); void start({ anew: true }); });
bind("l", "draw a lasso", () => draws(!map.drawing));
bind("0", "the whole map", () => map.fit());
bind("+", "nearer", () => map.zoom(1.4));
bind("-", "farther", () => map.zoom(1 / 1.4));
bind("n", "colour by the distance to the picture", () => state.chosen && go({ by: `like:${state.chosen}` }));
bind("m", "more like this", () => { if (state.chosen) location.href = `${root}/console/search?${new URLSearchParams({ c: collection, q: `id:${state.chosen}` })}`; });
bind("Escape", "end the lasso, close the details, clear the selection", () => {
  if (map.drawing) return draws(false);
  if (state.chosen) return go({ chosen: "" });
  if (state.lasso.length) go({ lasso: [] });
});
void begin();
