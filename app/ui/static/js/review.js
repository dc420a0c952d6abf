/** The review: one group fills the screen, and is decided about with one hand. */

import { call, may, thumbnail } from "./api.js";
import { table } from "./compare.js";
import { Decisions } from "./deciding.js";
import { announce, byId, h, icon, number } from "./dom.js";
import { direct, proposal, told, way, weakestLink } from "./evidence.js";
import { showKeys } from "./keys.js";
import { picture, size } from "./pictures.js";
import { keyOf } from "./queue.js";
import { bindReview } from "./review-keys.js";
import { decided } from "./rules.js";
import { empty, errorBox, toast } from "./say.js";
import { Stage } from "./stage.js";

/**
 * @typedef {import("./evidence.js").Group} Group
 * @typedef {import("./stage.js").Shot} Shot
 * @typedef {{queue: import("./queue.js").Queue, originals: boolean, merge: () => boolean, setMerge: (on: boolean) => void,
 *   show: (member: string) => void, close: () => void, changed: () => void}} Host
 */

const SHOWN = 6;
const AHEAD = 3;

export class Review {
  /** @param {HTMLElement} place @param {Host} host */
  constructor(place, host) {
    this.place = place;
    this.host = host;
    this.stage = new Stage();
    this.at = -1;
    this.current = 0;
    this.first = 0;
    /** @type {Set<string>} */
    this.kept = new Set();
    /** @type {Map<string, Set<string>>} */
    this.chosen = new Map();
    this.differing = false;
    /** @type {any} */
    this.merged = null;
    this.asked = 0;
    this.writes = may.has("write");
    this.decisions = new Decisions(this);
    bindReview(this);
  }

  /** @returns {Group} */
  get group() {
    return this.host.queue.groups[this.at];
  }

  get open() {
    return !this.place.hidden;
  }

  get merging() {
    return this.writes && this.host.merge();
  }

  /** Show the group of a record. @param {string} member */
  async show(member) {
    const begun = ++this.asked;
    document.body.classList.add("reviewing");
    this.place.hidden = false;
    for (const one of [byId("duplicates"), ...document.querySelectorAll(".bar, .rail")]) one.inert = true;
    if (this.group?.members.includes(member)) return;
    if (!this.place.childElementCount) this.place.replaceChildren(h("div", { class: "skeleton stage" }));
    try {
      const at = await this.host.queue.place(member);
      if (begun !== this.asked) return;
      if (at < 0) this.gone(`${member} is in no group of this list any more.`);
      else this.draw(at);
    } catch (error) {
      if (begun === this.asked) this.place.replaceChildren(this.head("Review"), errorBox(error, () => void this.show(member)));
    }
  }

  hide() {
    this.asked++;
    this.at = -1;
    this.stage.unblink();
    this.place.hidden = true;
    this.place.replaceChildren();
    document.body.classList.remove("reviewing");
    for (const one of [byId("duplicates"), ...document.querySelectorAll(".bar, .rail")]) one.inert = false;
  }

  /** @param {string} title @param {...(Node|string|false|null|undefined)} more */
  head(title, ...more) {
    return h("header", { class: "review-head" }, h("h2", { tabIndex: -1 }, title), ...more, h("span", { class: "spring" }),
      h("button", { type: "button", class: "quiet round", title: "Keys (?)", "aria-label": "Keys", onclick: showKeys }, icon("keys")),
      h("button", { type: "button", class: "quiet round", title: "Close (Esc)", "aria-label": "Close the review", onclick: () => this.host.close() }, icon("close")));
  }

  /** Say that there is nothing to show here, and what there is. @param {string} text */
  gone(text) {
    const next = this.host.queue.left[0];
    this.at = -1;
    this.place.replaceChildren(this.head("Review"), empty(next ? "This group is no more" : "All are decided about", "check", h("p", {}, text),
      h("p", { class: "row" }, this.decisions.done.length > 0 && h("button", { type: "button", onclick: () => void this.decisions.undo() }, "Undo (U)"),
        next ? h("button", { type: "button", class: "main", onclick: () => this.host.show(next.members[0]) }, "To the next group")
          : h("button", { type: "button", class: "main", onclick: () => this.host.close() }, "To the list"))));
    this.place.querySelector("h2")?.focus();
  }

  /** Draw a group of the queue. @param {number} at */
  draw(at) {
    this.at = at;
    const { group } = this;
    this.kept = this.chosen.get(keyOf(group)) ?? proposal(group);
    this.current = Math.max(0, group.members.indexOf([...this.kept][0]));
    this.first = 0;
    this.differing = false;
    this.merged = null;
    const { queue } = this.host;
    const place = queue.left.indexOf(group) + 1;
    this.trouble = h("div", { class: "review-trouble" });
    this.stageBox = h("div", { class: "stage", role: "group", "aria-label": "Pictures" });
    this.below = h("div", { class: "review-below" });
    const tool = (/** @type {string} */ name, /** @type {string} */ key, /** @type {any} */ facts) => h("button", { type: "button", class: "small", title: `${name} (${key})`, ...facts }, name, h("kbd", {}, key));
    this.tools = {
      blink: tool("Blink", "B", { onpointerdown: () => this.blink(true), onpointerup: () => this.blink(false), onpointerleave: () => this.blink(false) }),
      difference: tool("Difference", "D", { "aria-pressed": "false", onclick: () => this.difference() }),
      whole: tool("100 %", "Z", { onclick: () => this.stage.toggleWhole() }),
    };
    this.place.replaceChildren(
      this.head(place ? `Group ${place} of ${number(Math.max(queue.total, place))}` : "One group", this.evidence(), h("span", { class: "row review-tools" }, ...Object.values(this.tools))),
      this.trouble, this.stageBox, this.below, this.foot());
    this.pictures();
    this.choice();
    this.ahead();
    this.focus();
    announce(`${group.size} pictures; ${group.complete ? "all look like each other" : "a chain"}; weakest link ${group.weakest.toFixed(1)}`);
  }

  /** What holds the group together. */
  evidence() {
    const { group } = this;
    const link = weakestLink(group);
    const name = (/** @type {string} */ id) => String(group.members.indexOf(id) + 1);
    const weakest = link ? `weakest link ${name(link.one)}–${name(link.other)} at ${group.weakest.toFixed(1)}` : `weakest link ${group.weakest.toFixed(1)}`;
    return h("span", { class: "evidence" }, group.complete ? h("span", { class: "state" }, "all direct") : h("span", { class: "state failed", title: "Not every two of them look alike: some belong together by others alone." }, "chain"),
      h("span", { class: "soft" }, weakest));
  }

  foot() {
    const press = (/** @type {string} */ name, /** @type {string} */ key, /** @type {() => void} */ onclick, cls = "") => h("button", { type: "button", class: cls, title: `${name} (${key})`, onclick }, h("span", { class: "what" }, name), h("kbd", {}, key));
    const merge = h("input", { type: "checkbox", checked: this.merging, onchange: (/** @type {any} */ event) => { this.host.setMerge(event.target.checked); this.choice(); } });
    this.resolveButton = this.writes ? press("Resolve", "Enter", () => void this.decisions.resolve(), "main resolve") : null;
    const { group } = this;
    return h("footer", { class: "review-foot" },
      this.writes && h("label", { class: "check", title: "Take over what the kept one lacks: lists are joined (T)" }, merge, "Take over attributes"),
      h("span", { class: "spring" }),
      this.writes && press("Undo", "U", () => void this.decisions.undo(), "quiet"),
      press("Skip", "S", () => void this.step(1)),
      this.writes && (group.decision === null ? press("Not duplicates", "N", () => void this.decisions.dismiss()) : press("Open again", "N", () => void this.decisions.reopen())),
      this.resolveButton);
  }

  /** The pictures of the group; of a large one, those around the current. */
  pictures() {
    const { group, host } = this;
    const shown = group.members.slice(this.first, this.first + SHOWN);
    /** @type {Map<string, string>} */
    this.files = this.files && this.filesOf === group ? this.files : new Map();
    this.filesOf = group;
    const shots = shown.map((id) => this.stage.shot(id, this.name(id)));
    this.stageBox.dataset.n = String(shown.length);
    this.stageBox.replaceChildren(...shots.map((shot) => this.box(shot)));
    this.stage.show(shots);
    for (const shot of shots) {
      const small = thumbnail(shot.id);
      if (small) shot.image.src = small;
      picture(shot.id, host.originals).then(async (found) => {
        // Meanwhile the review may be closed, or show another group.
        if (!found || this.group !== group) return;
        shot.image.src = found.url;
        await shot.image.decode().catch(() => {});
        if (this.group !== group) return;
        const side = found.whole ? `${shot.image.naturalWidth} × ${shot.image.naturalHeight}, ` : "thumbnail, ";
        this.files?.set(shot.id, `${side}${found.type.replace("image/", "").toUpperCase()}, ${size(found.bytes)}`);
        this.facts();
        if (this.differing) this.stage.difference(this.reference());
      }, (error) => { if (this.group === group) this.trouble?.replaceChildren(errorBox(error, () => this.pictures())); });
    }
    this.choice();
  }

  /** @param {Shot} shot */
  box(shot) {
    const place = this.group.members.indexOf(shot.id);
    const keep = this.writes ? h("button", { type: "button", class: "small keep", onclick: () => { this.move(place); this.toggle(); } }) : null;
    const box = h("div", { class: "shot", role: "group", tabIndex: -1, "data-id": shot.id, onclick: () => this.move(place, false), onfocus: () => this.move(place, false) },
      h("div", { class: "pane-frame" }, shot.pane, h("span", { class: "badge" }, String(place + 1))),
      h("div", { class: "shot-foot" }, h("span", { class: "name", title: shot.id }, this.name(shot.id)), h("span", { class: "note" }), keep));
    return box;
  }

  /** @param {string} id */
  name(id) {
    const record = this.group.records.find((one) => one._id === id);
    return typeof record?.name === "string" && record.name ? record.name : id;
  }

  /** The shot that others are compared with: the first that is kept, or the first that is shown. */
  reference() {
    return this.stage.shots.find((shot) => this.kept.has(shot.id)) ?? this.stage.shots[0] ?? null;
  }

  /** Show what is chosen. */
  choice() {
    const { group, kept } = this;
    const keeper = group.members.find((id) => kept.has(id)) ?? group.members[0];
    for (const [n, box] of [.../** @type {NodeListOf<HTMLElement>} */ (this.stageBox.querySelectorAll(".shot"))].entries()) {
      const id = String(box.dataset.id);
      const stays = kept.has(id);
      const pair = id === keeper ? null : direct(group, keeper, id);
      const path = id === keeper || pair ? null : way(group, keeper, id);
      const said = id === keeper ? "" : pair ? told(pair) : path ? `like ${group.members.indexOf(keeper) + 1} only through ${path.through.map((one) => group.members.indexOf(one) + 1).join(", ")}` : "no direct evidence";
      box.classList.toggle("kept", stays);
      box.classList.toggle("indirect", id !== keeper && !pair);
      box.classList.toggle("current", this.first + n === this.current);
      box.tabIndex = this.first + n === this.current ? 0 : -1;
      box.setAttribute("aria-label", `${group.members.indexOf(id) + 1}: ${this.name(id)}${this.writes ? (stays ? ", kept" : ", to be removed") : ""}${said ? `, ${said}` : ""}`);
      /** @type {HTMLElement} */ (box.querySelector(".note")).textContent = said;
      const button = box.querySelector(".keep");
      if (button) {
        button.replaceChildren(icon(stays ? "check" : "close"), stays ? "Keep" : "Remove");
        button.setAttribute("aria-pressed", String(stays));
        button.setAttribute("aria-label", `Keep ${group.members.indexOf(id) + 1}`);
      }
    }
    const removed = group.members.length - kept.size;
    const what = this.resolveButton?.querySelector(".what");
    if (what) what.textContent = removed ? `Keep ${kept.size}, remove ${removed}` : "Keep all";
    this.facts();
    void this.preview();
  }

  facts() {
    const { group, kept } = this;
    const columns = group.members.slice(this.first, this.first + SHOWN).map((id) => ({ id, record: group.records.find((one) => one._id === id), picture: this.files?.get(id) ?? "…" }));
    const why = this.writes && group.suggestion ? h("p", { class: "soft" }, `Suggested: ${group.members.indexOf(group.suggestion) + 1}, by ${decided(group.reason)}.`,
      !group.complete && this.kept.size > 1 ? " What does not look like it itself is kept, too." : "") : null;
    const some = group.members.length > SHOWN ? h("p", { class: "soft" }, `Pictures ${this.first + 1} to ${Math.min(this.first + SHOWN, group.members.length)} of ${group.members.length} are shown; the arrows go on.`) : null;
    this.below.replaceChildren(h("div", { class: "compare-box", tabIndex: 0, role: "region", "aria-label": "Facts" }, table(columns, { kept, merged: this.merged })), h("div", { class: "below-notes" }, why, some, this.mergeNote ?? null));
  }

  /** Show what the merge makes of the one that is kept. */
  async preview() {
    const { group, kept } = this;
    const key = `${keyOf(group)} ${[...kept].sort().join("\n")}`;
    const remove = group.members.filter((one) => !kept.has(one));
    const possible = this.merging && kept.size === 1 && remove.length > 0;
    this.mergeNote = this.merging && kept.size > 1 && remove.length ? h("p", { class: "soft" }, "Attributes are taken over where one alone is kept.") : null;
    if (!possible) {
      if (this.merged || this.mergeNote) { this.merged = null; this.facts(); }
      return;
    }
    try {
      const shown = await call("/duplicates/v1/preview", { body: { keep: [...kept][0], remove, merge: {} } });
      if (this.group !== group || `${keyOf(group)} ${[...this.kept].sort().join("\n")}` !== key) return;
      this.merged = { before: shown.before, after: shown.after };
      this.facts();
    } catch (error) {
      if (this.group === group) this.trouble.replaceChildren(errorBox(error, () => { this.trouble.replaceChildren(); void this.preview(); }));
    }
  }

  /** @param {number} to @param {boolean} [focus] */
  move(to, focus = true) {
    const { members } = this.group;
    const next = Math.max(0, Math.min(members.length - 1, to));
    if (next === this.current && !focus) return;
    this.current = next;
    const first = Math.floor(next / SHOWN) * SHOWN;
    if (first !== this.first) { this.first = first; this.pictures(); } else this.choice();
    if (focus) this.focus();
  }

  focus() {
    /** @type {HTMLElement | undefined} */ (this.stageBox.querySelectorAll(".shot")[this.current - this.first])?.focus({ preventScroll: true });
  }

  /** @param {Set<string>} kept */
  keep(kept) {
    this.kept = kept;
    this.chosen.set(keyOf(this.group), kept);
    this.trouble.replaceChildren(); // What was to be tried again was another choice.
    this.choice();
    if (this.differing) this.stage.difference(this.reference());
  }

  toggle() {
    const id = this.group.members[this.current];
    const kept = new Set(this.kept);
    if (!kept.delete(id)) kept.add(id);
    if (!kept.size) return toast("The last copy stays: choose another one first");
    this.keep(kept);
  }

  /** @param {boolean} on */
  blink(on) {
    const here = this.stage.shots[this.current - this.first];
    const reference = this.reference();
    const other = here === reference ? this.stage.shots[(this.current - this.first + 1) % this.stage.shots.length] : reference;
    if (on && here && other && here !== other) this.stage.blink(here, other);
    else this.stage.unblink();
  }

  difference() {
    this.differing = !this.differing;
    this.tools?.difference.setAttribute("aria-pressed", String(this.differing));
    this.stage.difference(this.differing ? this.reference() : null);
  }

  /** Ask for what comes next before it is needed. */
  ahead() {
    const { queue, originals } = this.host;
    const next = queue.next(this.at);
    if (next >= 0) for (const id of queue.groups[next].members.slice(0, SHOWN)) picture(id, originals).catch(() => {});
    if (queue.groups.length - this.at <= AHEAD && !queue.ended) queue.more().then(() => this.open && next < 0 && this.ahead(), () => {});
  }

  /** Go to another group, nothing being decided. @param {1 | -1} by */
  async step(by) {
    const { queue } = this.host;
    const from = this.at;
    let next = queue.next(from, by);
    if (next < 0 && by > 0 && !queue.ended) {
      try {
        await queue.more();
      } catch (error) {
        return this.trouble.replaceChildren(errorBox(error, () => void this.step(by)));
      }
      if (this.at !== from) return;
      next = queue.next(from, by);
    }
    if (next < 0 && by > 0 && queue.left.length && queue.left[0] !== this.group) next = queue.groups.indexOf(queue.left[0]);
    if (next >= 0) return this.host.show(queue.groups[next].members[0]);
    if (queue.decided.has(keyOf(this.group))) return this.gone("Nothing is left to review in this list.");
    toast(by > 0 ? "This is the last group" : "This is the first group");
  }
}
