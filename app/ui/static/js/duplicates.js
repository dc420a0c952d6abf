/** The screen Duplicates: the list of groups, what was decided, the trash. The URL is the state. */

import { ApiError, call, collection, may, thumbnail } from "./api.js";
import { askBulk } from "./bulk.js";
import { announce, byId, day, h, icon, number, settled } from "./dom.js";
import { bind } from "./keys.js";
import { listDecisions } from "./decided.js";
import { Queue } from "./queue.js";
import { Review } from "./review.js";
import * as ruled from "./rules.js";
import { empty, errorBox } from "./say.js";
import { beyond, scan } from "./scan.js";
import { trash } from "./trash.js";

const page = byId("duplicates");
const list = byId("groups");
const messages = byId("messages");
const writes = may.has("write");
const SHOWN = 6;

/** @typedef {{tab: string, order: string, radius: number | null, rules: any[], review: string, merge: boolean}} State */

/** @returns {State} */
function read() {
  const query = new URLSearchParams(location.search);
  const tab = query.get("tab") ?? "";
  const order = query.get("order") ?? "";
  const radius = Number.parseFloat(query.get("radius") ?? "");
  return {
    tab: ["open", "dismissed", "resolved", "trash"].includes(tab) ? tab : "open",
    order: ["size", "nearness", "age"].includes(order) ? order : "size",
    radius: Number.isFinite(radius) && radius >= 0 ? radius : null,
    rules: ruled.read(query.get("rules")), review: query.get("review") ?? "", merge: query.get("merge") === "1",
  };
}

let state = read();
let running = new AbortController();
/** @type {any} */
let stored = null;
let queue = new Queue({});
let stale = false;
let skeleton = 0;

/** @param {Partial<State>} change @param {boolean} [replace] */
function go(change, replace = false) {
  const before = state;
  state = { ...state, ...change };
  const query = new URLSearchParams({ c: collection, tab: state.tab });
  if (state.order !== "size") query.set("order", state.order);
  if (state.radius !== null) query.set("radius", String(state.radius));
  if (change.rules || new URLSearchParams(location.search).has("rules")) query.set("rules", JSON.stringify(state.rules));
  if (state.merge) query.set("merge", "1");
  if (state.review) query.set("review", state.review);
  const url = `${location.pathname}?${query}`;
  if (replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  shown(before);
}

addEventListener("popstate", () => {
  const before = state;
  state = read();
  shown(before);
});

/** @param {State} [before] */
function shown(before) {
  const plain = (/** @type {State} */ one) => JSON.stringify({ ...one, review: "", merge: false });
  if (!before || plain(before) !== plain(state)) void run();
  else if (stale && !state.review) void run();
  if (state.review) void review.show(state.review);
  else if (before?.review) {
    review.hide();
    /** @type {HTMLElement | null} */ (list.querySelector(`[data-members~="${CSS.escape(encodeURIComponent(before.review))}"] a`) ?? list.querySelector("a"))?.focus();
  }
}

const asked = () => ({ state: state.tab, order: state.order, rules: state.rules, ...(state.radius === null ? {} : { radius: state.radius }) });

const review = new Review(byId("review"), {
  get queue() { return queue; },
  originals: page.dataset.originals === "1",
  merge: () => state.merge,
  setMerge: (on) => go({ merge: on }, true),
  show: (member) => go({ review: member }, true),
  close: () => go({ review: "" }),
  changed: () => { stale = true; },
});

/** Show the list that the state means. */
async function run() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  stale = false;
  controls();
  list.classList.add("old");
  queue = new Queue(asked());
  clearTimeout(skeleton);
  skeleton = window.setTimeout(() => { if (!list.childElementCount) list.replaceChildren(...[1, 2, 3].map(() => h("li", { class: "group skeleton" }))); }, 100);
  try {
    messages.replaceChildren();
    byId("end").replaceChildren();
    if (state.tab === "resolved") await listDecisions(list, byId("end"), count, signal);
    else if (state.tab === "trash") await trash(list, byId("end"), count, signal);
    else await groups(signal);
  } catch (error) {
    if (signal.aborted) return;
    list.replaceChildren();
    count("");
    if (error instanceof ApiError && error.http === 409) void unscanned(signal);
    else messages.replaceChildren(errorBox(error, () => void run()));
  } finally {
    clearTimeout(skeleton);
    if (!signal.aborted) list.classList.remove("old");
  }
}

/** @param {string} text */
function count(text) {
  byId("count").textContent = text;
  if (text) announce(text);
}

/** @param {AbortSignal} signal */
async function groups(signal) {
  const [told] = await Promise.all([call("/duplicates/v1/state", { body: {}, signal }), queue.more(signal)]);
  if (signal.aborted) return;
  stored = told;
  controls();
  clearTimeout(skeleton);
  list.replaceChildren(...queue.groups.map(row));
  if (state.review) void review.show(state.review);
  count(queue.total ? `${number(queue.total)} ${queue.total === 1 ? "group" : "groups"}, ${number(queue.records)} pictures, within ${number(state.radius ?? told.radius)}` : "");
  if (!queue.total) await none(signal);
  more(signal);
}

/** Load the next page when the end of the list comes near. @param {AbortSignal} signal */
function more(signal) {
  const end = byId("end");
  end.replaceChildren();
  if (queue.ended) return;
  const button = h("button", { type: "button" }, "More groups");
  const load = async () => {
    watch.disconnect();
    button.disabled = true;
    try {
      list.append(...(await queue.more(signal)).map(row));
      if (!signal.aborted) more(signal);
    } catch (error) {
      if (!signal.aborted) end.replaceChildren(errorBox(error, () => more(signal)));
    }
  };
  const watch = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) void load(); }, { rootMargin: "600px" });
  button.addEventListener("click", load);
  end.replaceChildren(button);
  watch.observe(button);
}

/** @param {import("./evidence.js").Group} group */
function row(group) {
  const query = new URLSearchParams(location.search);
  query.set("review", group.members[0]);
  const keeper = group.suggestion;
  const more = group.members.length - SHOWN;
  const link = h("a", { href: `?${query}`, class: "group-link", onclick: (/** @type {MouseEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go({ review: group.members[0] });
  } }, h("strong", {}, `${group.size} pictures`),
    h("span", { class: "soft" }, `weakest link ${group.weakest.toFixed(1)}`),
    group.newest && h("span", { class: "soft" }, `newest ${day(group.newest)}`));
  return h("li", { class: "group", "data-members": group.members.map(encodeURIComponent).join(" ") },
    h("div", { class: "group-facts" }, link,
      h("span", { class: "row" }, group.complete ? null : h("span", { class: "state failed", title: "Not every two of them look alike" }, "chain"), group.decision === null ? null : h("span", { class: "state" }, `dismissed by ${group.decision}`))),
    h("ul", { class: "strip" }, ...group.members.slice(0, SHOWN).map((id) => h("li", { class: id === keeper ? "keeper" : "" }, h("figure", {},
      thumbnail(id) ? h("img", { src: thumbnail(id), alt: "", width: 112, height: 112, loading: "lazy" }) : h("div", { class: "no-picture" }, icon("picture")),
      h("figcaption", { title: id }, id === keeper ? icon("check") : null, h("span", {}, id))))),
      more > 0 && h("li", { class: "soft" }, `and ${more} more`)),
    keeper ? h("p", { class: "soft why" }, `Keep ${keeper}: ${ruled.decided(group.reason)}`) : null);
}

/** Teach what an empty list means. @param {AbortSignal} signal */
async function none(signal) {
  const radius = state.radius ?? stored.radius;
  if (state.tab === "dismissed") return messages.replaceChildren(empty("Nothing was dismissed", "duplicates", h("p", {}, "A group that you say holds no duplicates stands here, until a record joins it.")));
  const box = h("div", { class: "stack beyond" });
  messages.replaceChildren(empty("No duplicates", "check", h("p", {}, `No two pictures lie within ${number(radius)} of each other that nobody has decided about.`), box));
  await beyond(box, radius, stored, { signal, wider: (to) => go({ radius: to }), scanned: () => { go({ radius: null }); void run(); } });
}

/** Say that pairs are not stored yet, or not all, or of other vectors. @param {AbortSignal} signal */
async function unscanned(signal) {
  try {
    stored = await call("/duplicates/v1/state", { body: {}, signal });
    const why = !stored.stored ? ["Not looked for yet", "Every picture is compared with every other once; from then on what is written is compared by itself."]
      : stored.outdated ? ["The pictures have another model now", "What was found before says nothing of it: look for duplicates again."]
        : ["The scan is not complete", "It goes on where it was."];
    const box = h("div", { class: "stack beyond" });
    messages.replaceChildren(empty(why[0], "duplicates", h("p", {}, why[1]), box));
    scan(box, stored.radius ?? 5, () => void run());
  } catch (error) {
    if (!signal.aborted) messages.replaceChildren(errorBox(error, () => void run()));
  }
}

function controls() {
  for (const one of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-tab]"))) {
    if (one.dataset.tab === state.tab) one.setAttribute("aria-current", "true");
    else one.removeAttribute("aria-current");
  }
  const listed = state.tab === "open" || state.tab === "dismissed";
  for (const one of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll(".of-groups"))) one.hidden = !listed || (!stored?.stored && one.id !== "rules-button");
  if (byId("bulk-button")) byId("bulk-button").hidden = state.tab !== "open" || !stored?.complete;
  byId("order").value = state.order;
  const slider = byId("radius");
  slider.max = String(stored?.radius ?? 5);
  slider.value = String(state.radius ?? stored?.radius ?? 5);
  byId("radius-said").textContent = number(Number(slider.value));
  ruled.draw(byId("rules"), state.rules, (rules) => { ruled.keep(rules); go({ rules }); });
}

byId("order").addEventListener("change", (/** @type {any} */ event) => go({ order: event.target.value }));
byId("radius").addEventListener("input", (/** @type {any} */ event) => (byId("radius-said").textContent = number(Number(event.target.value))));
byId("radius").addEventListener("input", settled((/** @type {any} */ event) => go({ radius: Number(event.target.value) }, true), 200));
byId("rules-button").addEventListener("click", () => {
  const open = byId("rules").hidden;
  byId("rules").hidden = !open;
  byId("rules-button").setAttribute("aria-expanded", String(open));
});
byId("bulk-button")?.addEventListener("click", () => askBulk({ radius: state.radius ?? stored.radius, most: stored.radius, rules: state.rules, merge: state.merge }));
for (const one of /** @type {NodeListOf<HTMLElement>} */ (page.querySelectorAll("[data-tab]"))) {
  one.addEventListener("click", (event) => { event.preventDefault(); go({ tab: String(one.dataset.tab), review: "" }); });
}

/** @param {number} by */
function step(by) {
  const links = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("li a, li button")]);
  const at = links.findIndex((one) => one === document.activeElement);
  links[Math.min(links.length - 1, Math.max(0, at + by))]?.focus();
}
const listing = () => !review.open;
for (const key of ["j", "ArrowDown"]) bind(key, "next group", () => step(1), "List of groups", listing);
for (const key of ["k", "ArrowUp"]) bind(key, "group before", () => step(-1), "List of groups", listing);
bind("r", "review the first group", () => { if (queue.left.length) go({ review: queue.left[0].members[0] }); }, "List of groups", listing);
if (writes) bind("b", "apply the suggestion to all", () => { if (!byId("bulk-button").hidden) byId("bulk-button").click(); }, "List of groups", listing);
if (writes) bind("u", "undo", () => void review.decisions.undo(), "List of groups", listing);

shown();
