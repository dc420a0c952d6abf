/** Decisions of the review: sent, told, undone. What was chosen stays until the server has it. */

import { ApiError, call } from "./api.js";
import { byId, h, icon, moment } from "./dom.js";
import { keyOf } from "./queue.js";
import { copy, errorBox, toast } from "./say.js";

/** @typedef {import("./evidence.js").Group} Group */

export class Decisions {
  /** @param {import("./review.js").Review} review */
  constructor(review) {
    this.review = review;
    /** @type {{decision: number, group: Group}[]} */
    this.done = [];
    this.busy = false;
  }

  /**
   * Send a decision; the next group comes once it is made, and whatever was chosen stays until then.
   * @param {string} path @param {any} body @param {string} said
   */
  async decide(path, body, said) {
    if (this.busy || !this.review.group || !this.review.writes) return;
    const { group } = this.review;
    this.busy = true;
    this.review.place.classList.add("busy");
    try {
      const { decision } = await call(`/duplicates/v1/${path}`, { body });
      const made = { decision, group };
      this.done.push(made);
      this.review.host.queue.decided.add(keyOf(group));
      this.review.host.queue.total--;
      this.review.chosen.delete(keyOf(group));
      this.review.host.changed();
      toast(said, { undo: () => void this.undo(made) });
      await this.review.step(1);
    } catch (error) {
      const again = () => { this.review.trouble.replaceChildren(); void this.decide(path, body, said); };
      if (error instanceof ApiError && error.http === 409) await this.lost(group, error);
      else this.review.trouble.replaceChildren(errorBox(error, () => { if (this.review.group === group) again(); }));
    } finally {
      this.busy = false;
      this.review.place.classList.remove("busy");
    }
  }

  async resolve() {
    const { group, kept } = this.review;
    const remove = group.members.filter((one) => !kept.has(one));
    if (!remove.length) return this.decide("dismiss", { records: group.members, reason: "all are kept" }, "All are kept");
    const merge = this.review.merging && kept.size === 1 ? { merge: {} } : {};
    const keep = group.members.filter((one) => kept.has(one));
    const reason = keep.length === 1 && keep[0] === group.suggestion && group.reason ? { reason: group.reason } : {};
    return this.decide("resolve", { keep, remove, open: group.decision === null, ...merge, ...reason }, `${remove.length} ${remove.length === 1 ? "picture is" : "pictures are"} in the trash`);
  }

  async dismiss() {
    if (this.review.group.decision !== null) return this.reopen();
    return this.decide("dismiss", { records: this.review.group.members }, "These are no duplicates");
  }

  /** Take a dismissal back. */
  async reopen() {
    const { group } = this.review;
    try {
      await call("/duplicates/v1/undo", { body: { decision: group.decision } });
      this.review.host.queue.decided.add(keyOf(group));
      this.review.host.queue.total--;
      this.review.host.changed();
      toast("The group is open again");
      await this.review.step(1);
    } catch (error) {
      this.review.trouble.replaceChildren(errorBox(error, () => void this.reopen()));
    }
  }

  /** Tell who was first, and show what is left of the group. @param {Group} group @param {ApiError} error */
  async lost(group, error) {
    const told = await call("/duplicates/v1/decisions", { body: { k: 50 } }).catch(() => ({ decisions: [] }));
    const other = told.decisions.find((/** @type {any} */ one) => !one.undone_at && one.members.some((/** @type {string} */ id) => group.members.includes(id)));
    const who = other ? `${other.made_by} ${other.kind === "resolved" ? `kept ${other.members.filter((/** @type {string} */ id) => !other.removed.includes(id)).join(", ")} and removed ${other.removed.join(", ")}` : "said that they are no duplicates"} at ${moment(other.made_at)}.` : error.message;
    this.review.trouble.replaceChildren(h("div", { class: "error", role: "alert" }, icon("warning"), h("div", {}, h("strong", {}, "Somebody else was first"), h("p", {}, who), h("p", { class: "soft" }, "Nothing of yours was written. Request ", h("code", {}, error.requestId), " ", h("button", { type: "button", class: "link", onclick: () => void copy(error.requestId) }, "copy")),
      h("p", { class: "row" }, h("button", { type: "button", class: "main", onclick: () => void this.again(group) }, "Look again"), h("button", { type: "button", onclick: () => { this.review.host.queue.decided.add(keyOf(group)); void this.review.step(1); } }, "Next group")))));
  }

  /** Show a group as it is now. @param {Group} group */
  async again(group) {
    const { queue } = this.review.host;
    try {
      for (const member of group.members) {
        const now = await queue.of(member);
        if (!now) continue;
        this.review.chosen.delete(keyOf(now));
        queue.replace(this.review.at, now);
        return this.review.draw(this.review.at);
      }
      queue.decided.add(keyOf(group));
      this.review.gone("Somebody else has decided about it.");
    } catch (error) {
      this.review.trouble.replaceChildren(errorBox(error, () => void this.again(group)));
    }
  }

  /** Take a decision of this page back, the last one unless another is named. @param {{decision: number, group: Group}} [last] */
  async undo(last = this.done.at(-1)) {
    if (last && !this.done.includes(last)) return toast("It was undone already");
    if (!last) return toast("Nothing was decided here yet; the tab Resolved has what was");
    if (this.busy) return;
    this.busy = true;
    try {
      const { outcomes } = await call("/duplicates/v1/undo", { body: { decision: last.decision } });
      const stuck = Object.entries(outcomes).filter(([, outcome]) => outcome !== "restored");
      toast(stuck.length ? `Not all came back: ${stuck.map(([id, outcome]) => `${id} is ${String(outcome).replaceAll("_", " ")}`).join(", ")}` : "Undone");
      this.done.splice(this.done.indexOf(last), 1);
      this.review.host.queue.decided.delete(keyOf(last.group));
      this.review.host.queue.total++;
      this.review.host.changed();
      this.review.at = -1;
      if (this.review.open) this.review.host.show(last.group.members[0]);
    } catch (error) {
      if (error instanceof ApiError && error.http === 409) this.done.splice(this.done.indexOf(last), 1);
      (this.review.open && this.review.trouble ? this.review.trouble : byId("messages")).replaceChildren(errorBox(error, () => void this.undo(last)));
    } finally {
      this.busy = false;
    }
  }
}
