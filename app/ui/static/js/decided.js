/** What was decided about duplicates, the latest first, each with its way back. */

import { call, collection, learnThumbnails, may, root, thumbnail } from "./api.js";
import { h, icon, moment, number } from "./dom.js";
import { decided } from "./rules.js";
import { empty, errorBox, toast } from "./say.js";

const PAGE = 50;
const PICTURES = 6;

/**
 * List decisions.
 * @param {HTMLElement} list @param {HTMLElement} end @param {(text: string) => void} count @param {AbortSignal} signal
 */
export async function listDecisions(list, end, count, signal) {
  list.replaceChildren();
  let before = 0;
  let told = 0;
  const load = async () => {
    const page = await call("/duplicates/v1/decisions", { body: { k: PAGE, ...(before ? { before } : {}) }, signal });
    await learnThumbnails(page.decisions.flatMap((/** @type {any} */ one) => seen(one).filter((id) => !(id in one.trashed))), signal);
    if (signal.aborted) return;
    list.append(...page.decisions.map(row));
    told += page.decisions.length;
    count(told ? `${number(told)}${page.next ? " latest" : ""} ${told === 1 ? "decision" : "decisions"}` : "");
    before = page.next ?? 0;
    end.replaceChildren(...(before ? [h("button", { type: "button", onclick: () => load().catch((error) => end.replaceChildren(errorBox(error, () => void load()))) }, "Earlier ones")] : []));
    if (!told) end.replaceChildren(empty("Nothing was decided yet", "check", h("p", {}, "What you keep, remove and dismiss stands here, and can be undone.")));
  };
  await load();
}

/** The records whose pictures are shown. @param {any} one @returns {string[]} */
const seen = (one) => one.members.slice(0, PICTURES);

/** Whether a record was kept or removed is told by a mark, too; of what was undone nothing is removed. @param {any} one @param {string} id */
function picture(one, id) {
  const marked = one.kind === "resolved" && !one.undone_at;
  const removed = marked && one.removed.includes(id);
  const url = id in one.trashed ? `${root}/pictures/v1/${encodeURIComponent(collection)}/trashed?number=${one.trashed[id]}` : thumbnail(id);
  const none = () => h("div", { class: "no-picture" }, icon("picture"), h("span", { class: "hidden" }, "no picture any more"));
  const shown = url ? h("img", { src: url, alt: "", width: 64, height: 64, loading: "lazy", onerror: () => shown.replaceWith(none()) }) : none();
  return h("li", {}, h("figure", { class: removed ? "removed" : "" }, shown,
    h("figcaption", {}, marked && icon(removed ? "close" : "check"), marked && h("span", { class: "hidden" }, removed ? "removed" : "kept"), h("span", { title: id }, id))));
}

/** @param {any} one */
const pictures = (one) => [...seen(one).map((id) => picture(one, id)), ...(one.members.length > PICTURES ? [h("li", { class: "soft" }, `and ${number(one.members.length - PICTURES)} more`)] : [])];

/** @param {any} one */
function row(one) {
  const removed = one.removed ?? [];
  const kept = one.members.filter((/** @type {string} */ id) => !removed.includes(id));
  const words = one.kind === "dismissed" ? `${one.members.join(", ")} are no duplicates` : `Kept ${kept.join(", ")}; removed ${removed.join(", ")}`;
  const status = h("span", { class: "soft" }, one.undone_at ? `undone by ${one.undone_by}, ${moment(one.undone_at)}` : one.restored.length ? `${one.restored.join(", ")} came back` : "");
  const strip = h("ul", { class: "strip" }, ...pictures(one));
  const box = h("li", { class: `decision made${one.undone_at ? " undone" : ""}` },
    h("div", {}, h("p", {}, h("span", { class: "state" }, one.kind), " ", h("span", { class: "words" }, words)),
      h("p", { class: "soft" }, `${one.decision}, by ${one.made_by}, `, h("time", { dateTime: one.made_at }, moment(one.made_at)), one.reason ? `: ${reason(one.reason)}` : "", one.merged ? `; ${Object.keys(one.merged.after ?? {}).join(", ")} taken over` : ""), status),
    strip);
  if (!one.undone_at && may.has("write")) {
    const button = h("button", { type: "button", class: "small", onclick: async () => {
      button.disabled = true;
      try {
        const { outcomes } = await call("/duplicates/v1/undo", { body: { decision: one.decision } });
        const stuck = Object.entries(outcomes).filter(([, outcome]) => outcome !== "restored" && outcome !== "stored");
        const why = stuck.map(([id, outcome]) => `${id} is ${String(outcome).replaceAll("_", " ")}`).join(", ");
        // What could not come back may be undone later: the server says whether the decision is still open.
        const { decisions: [now] } = await call("/duplicates/v1/decisions", { body: { k: 1, before: one.decision + 1 } });
        status.textContent = (now.undone_at ? "undone" : "not all of it is undone") + (why ? `: ${why}` : "");
        box.classList.toggle("undone", Boolean(now.undone_at));
        button.disabled = false;
        if (now.undone_at) button.remove();
        toast(now.undone_at ? "Undone" : `Not all came back: ${why}`);
        one.undone_at = now.undone_at;
        one.trashed = now.trashed;
        await learnThumbnails(seen(one).filter((id) => !(id in one.trashed)));
        strip.replaceChildren(...pictures(one));
      } catch (error) {
        button.disabled = false;
        status.replaceChildren(errorBox(error));
      }
    } }, "Undo");
    box.append(button);
  }
  return box;
}

/** A reason is a rule of the suggestion, or what somebody wrote. @param {string} text */
function reason(text) {
  try {
    return decided(text);
  } catch {
    return text;
  }
}
