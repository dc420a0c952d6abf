/** Scans for duplicates: begun here, followed until they end; and what lies just beyond a radius. */

import { call, may, method, pageOf } from "./api.js";
import { announce, h, number } from "./dom.js";
import { errorBox } from "./say.js";

const OPEN = new Set(["queued", "running", "pausing", "paused"]);

/**
 * Follow a job until it ends.
 * @param {HTMLElement} place @param {any} job @param {() => void} done
 */
export function follow(place, job, done) {
  const bar = h("progress", { max: 1, value: 0, "aria-label": job.kind });
  const said = h("span", { class: "soft" }, "queued");
  place.replaceChildren(h("div", { class: "follow" }, bar, h("p", { class: "row" }, said, h("a", { href: pageOf(job) }, `job ${job.id}`))));
  const look = async () => {
    if (!place.isConnected) return;
    try {
      const now = await call(`/jobs/v1/jobs/${job.id}`, { verb: "GET", collection: "" });
      bar.value = now.progress.total ? Math.min(1, now.progress.done / now.progress.total) : 0;
      said.textContent = `${now.state.replaceAll("_", " ")}, ${number(now.progress.done)}${now.progress.total === null ? "" : ` of ${number(now.progress.total)}`}`;
      if (OPEN.has(now.state)) return void window.setTimeout(look, 700);
      announce(`${job.kind} is ${now.state.replaceAll("_", " ")}`);
      if (now.state.startsWith("done")) return done();
      place.replaceChildren(h("p", { class: "wrong", role: "alert" }, now.error ?? `The job is ${now.state}.`));
    } catch (error) {
      said.replaceChildren(errorBox(error, look));
    }
  };
  void look();
}

/**
 * Offer to look for duplicates.
 * @param {HTMLElement} place @param {number} radius @param {() => void} done
 */
export function scan(place, radius, done) {
  if (!may.has("write")) return void place.append(h("p", { class: "soft" }, "It takes a token that may write."));
  const field = h("input", { id: "scan-radius", type: "number", min: 0, max: 1000, step: "any", value: String(radius), required: true });
  const wrong = h("div", {});
  const form = h("form", { class: "row scan", onsubmit: async (/** @type {Event} */ event) => {
    event.preventDefault();
    wrong.replaceChildren();
    try {
      follow(place, await call("/jobs/v1/duplicate-scan", { body: { radius: Number(field.value) } }), done);
    } catch (error) {
      wrong.replaceChildren(errorBox(error));
    }
  } }, h("label", { htmlFor: "scan-radius" }, "Radius"), field, h("button", { class: "main" }, "Look for duplicates"));
  place.append(form, wrong);
}

/**
 * Tell how many pairs lie just beyond a radius: among the stored ones, or, where it is that of the scan, by comparing.
 * @param {HTMLElement} place @param {number} radius @param {any} stored
 * @param {{signal: AbortSignal, wider: (radius: number) => void, scanned: () => void}} on
 */
export async function beyond(place, radius, stored, { signal, wider, scanned }) {
  const said = h("p", { "aria-live": "polite" });
  place.replaceChildren(said);
  const told = await call("/duplicates/v1/tune/report", { body: {}, signal });
  const steps = told.candidates.filter((/** @type {any} */ one) => one.radius > radius + 1e-9);
  const within = Math.max(0, ...told.candidates.filter((/** @type {any} */ one) => one.radius <= radius + 1e-9).map((/** @type {any} */ one) => one.pairs));
  if (steps.length && told.pair_count > within) {
    const next = steps.find((/** @type {any} */ one) => one.pairs > within);
    said.textContent = `${number(next.pairs - within)} ${next.pairs - within === 1 ? "pair lies" : "pairs lie"} just beyond, within ${number(next.radius)}; ${number(told.pair_count - within)} within ${number(stored.radius)}.`;
    return place.append(h("p", { class: "row" }, h("button", { type: "button", class: "main", onclick: () => wider(next.radius) }, `Look within ${number(next.radius)}`)));
  }
  const reach = Math.round(stored.radius * 15) / 10 || 1;
  const look = async () => {
    said.textContent = "Comparing…";
    try {
      const found = await method("allNearDupPairs", { radius: reach, k: 1000 }, signal);
      const pairs = found.answer_distances.filter((/** @type {number} */ one) => one > stored.radius);
      const many = found.answer_distances.length === 1000 ? "at least " : "";
      said.textContent = pairs.length ? `${many}${number(pairs.length)} ${pairs.length === 1 ? "pair lies" : "pairs lie"} just beyond, within ${number(reach)}; the nearest at ${pairs[0].toFixed(1)}.` : `No pair lies just beyond it, within ${number(reach)}, either.`;
      if (pairs.length) scan(place, Math.ceil(pairs[0] * 2) / 2, scanned);
    } catch (error) {
      if (!signal.aborted) said.replaceChildren(errorBox(error, () => void look()));
    }
  };
  const records = await method("getRecordCount", {}, signal);
  if (records.answer_count <= 5000) return look();
  said.replaceChildren(h("button", { type: "button", onclick: () => void look() }, `Count the pairs within ${number(reach)}`), h("span", { class: "soft" }, " compares every picture with every other"));
}
