/** The screen Jobs: rows and details follow what happens; jobs are paused, resumed, cancelled and begun. */

import { call, collection as first, may } from "./api.js";
import { announce, byId, h, number } from "./dom.js";
import { askFor } from "./importing.js";
import { bind } from "./keys.js";
import { bindRows } from "./rows.js";
import { errorBox, toast } from "./say.js";

/** @typedef {{phase: string|null, done: number, total: number|null, rejected: number, rate: number|null, seconds_left: number|null}} Progress */
/** @typedef {{id: string, kind: string, state: string, collection: string|null, progress: Progress, created_at: string, error: string|null}} Job */

const OPEN = new Set(["queued", "running", "pausing", "paused"]);
const MAY = { pause: new Set(["queued", "running"]), resume: new Set(["paused", "failed", "pausing"]), cancel: new Set(["queued", "running", "pausing", "paused", "failed"]) };
const page = byId("jobs");
const chosen = page.dataset.chosen;
/** @type {Map<string, string>} */
const states = new Map();

/** @param {Job} job */
const share = (job) => (job.state.startsWith("done") ? 1 : job.progress.total ? Math.min(1, job.progress.done / job.progress.total) : 0);
/** @param {Job} job */
const count = (job) => [number(job.progress.done) + (job.progress.total === null ? "" : ` of ${number(job.progress.total)}`),
  job.progress.rejected ? h("span", { class: "bad" }, `, ${number(job.progress.rejected)} rejected`) : ""];
/** @param {number} seconds */
const span = (seconds) => (seconds < 90 ? `${Math.round(seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

/** @param {Element} within @param {Job} job */
function draw(within, job) {
  const state = /** @type {HTMLElement} */ (within.querySelector(".state"));
  state.className = `state ${job.state}`;
  state.textContent = job.state.replaceAll("_", " ");
  /** @type {HTMLProgressElement} */ (within.querySelector("progress")).value = share(job);
}

/** @param {Job} job */
function drawRow(job) {
  const row = document.querySelector(`tr[data-job="${CSS.escape(job.id)}"]`);
  if (!row) return false;
  draw(row, job);
  row.querySelector(".progress span")?.replaceChildren(...count(job));
  const before = states.get(job.id);
  if (before && before !== job.state) announce(`${job.kind} ${job.id} is ${job.state.replaceAll("_", " ")}`);
  states.set(job.id, job.state);
  return true;
}

/** @param {Job} job */
function drawDetails(job) {
  const details = byId("details");
  draw(details, job);
  /** @param {string} part @param {(Node|string)[]} what */
  const say = (part, ...what) => details.querySelector(`[data-part="${part}"]`)?.replaceChildren(...what);
  say("phase", job.progress.phase ?? "not begun");
  say("count", ...count(job));
  say("rate", job.progress.rate === null ? "not measured" : `${number(Math.round(job.progress.rate))} a second`);
  say("left", job.progress.seconds_left === null ? "unknown" : span(job.progress.seconds_left));
  for (const button of details.querySelectorAll("[data-change]")) {
    /** @type {HTMLButtonElement} */ (button).hidden = !MAY[/** @type {"pause"|"resume"|"cancel"} */ (/** @type {HTMLElement} */ (button).dataset.change)].has(job.state);
  }
}

const here = () => `${location.pathname}${location.search}`;

async function look() {
  const trouble = byId("trouble");
  try {
    const told = await call("/jobs/v1/jobs?size=100", { verb: "GET", collection: "" });
    trouble.replaceChildren();
    /** @type {Job[]} */
    const jobs = told.jobs;
    const unknown = jobs.some((job) => !drawRow(job) && page.dataset.show === "all");
    const one = jobs.find((job) => job.id === chosen);
    const ended = one && !OPEN.has(one.state) && byId("details").dataset.open === "true";
    if (one && byId("details")) {
      drawDetails(one);
      byId("details").dataset.open = String(OPEN.has(one.state));
    }
    // A new job, or an outcome: the server draws those.
    if (unknown || ended) location.replace(here());
    window.setTimeout(look, document.hidden ? 10_000 : jobs.some((job) => OPEN.has(job.state)) ? 1_000 : 5_000);
  } catch (error) {
    trouble.replaceChildren(errorBox(error, look));
  }
}

/** @param {string} change */
async function alter(change) {
  try {
    drawDetails(await call(`/jobs/v1/jobs/${chosen}/${change}`, { collection: "" }));
    toast(change === "pause" ? "It pauses at its next safe point" : change === "resume" ? "It goes on" : "It is cancelled; what it wrote stays");
  } catch (error) {
    byId("trouble").replaceChildren(errorBox(error));
  }
}

for (const button of document.querySelectorAll("[data-change]")) {
  button.addEventListener("click", () => alter(String(/** @type {HTMLElement} */ (button).dataset.change)));
}
if (chosen && may.has("write")) {
  bind("p", "pause the job", () => alter("pause"));
  bind("r", "resume the job", () => alter("resume"));
}
bind("Escape", "close the details", () => chosen && (location.href = `?${new URLSearchParams({ show: page.dataset.show })}`));
bindRows("job");

function askForImport() {
  const known = String(byId("new-import").dataset.collections).split("\n");
  askFor(known, first);
}

byId("new-import")?.addEventListener("click", askForImport);
if (byId("new-import")) bind("i", "import a file", askForImport);
look();
