/** Groups in the order of the list: asked for page by page, those that were decided about left out. */

import { call, learnThumbnails } from "./api.js";

/** @typedef {import("./evidence.js").Group} Group */

const PAGE = 20;
const SHOWN = 6;

/** What names a group. @param {Group} group */
export const keyOf = (group) => JSON.stringify(group.members);

export class Queue {
  /** @param {any} asked the body of `groups`, without the page */
  constructor(asked) {
    this.asked = asked;
    /** @type {Group[]} */
    this.groups = [];
    /** @type {Set<string>} */
    this.decided = new Set();
    /** @type {Set<string>} groups that were asked for by a record, before their page */
    this.early = new Set();
    this.total = 0;
    this.records = 0;
    this.ended = false;
    /** @type {Promise<Group[]> | null} */
    this.asking = null;
  }

  get left() {
    return this.groups.filter((one) => !this.decided.has(keyOf(one)));
  }

  /** Ask for the next page; return the groups that are new. @param {AbortSignal} [signal] */
  more(signal) {
    this.asking ??= this.ask(signal).finally(() => (this.asking = null));
    return this.asking;
  }

  /** @param {AbortSignal} [signal] @returns {Promise<Group[]>} */
  async ask(signal) {
    const told = await call("/duplicates/v1/groups", { body: { ...this.asked, fields_to_return: ["*"], k: PAGE, from: this.left.filter((one) => !this.early.has(keyOf(one))).length }, signal });
    this.total = told.group_count;
    this.records = told.record_count;
    const known = new Set(this.groups.map(keyOf));
    const fresh = told.groups.filter((/** @type {Group} */ one) => !known.has(keyOf(one)));
    for (const one of told.groups) this.early.delete(keyOf(one));
    this.ended = told.groups.length < PAGE;
    this.groups.push(...fresh);
    await learnThumbnails(fresh.flatMap((/** @type {Group} */ one) => one.members.slice(0, SHOWN)), signal);
    return fresh;
  }

  /** The group of a record as it is now; null where it is in none. @param {string} member @returns {Promise<Group | null>} */
  async of(member) {
    const told = await call("/duplicates/v1/groups", { body: { ...this.asked, fields_to_return: ["*"], record: member, k: 1 } });
    return told.groups[0] ?? null;
  }

  /** The place of a group that has a record; one that is not known yet is asked for. @param {string} member @returns {Promise<number>} */
  async place(member) {
    if (!this.groups.length) await this.more();
    const known = this.groups.findIndex((one) => one.members.includes(member) && !this.decided.has(keyOf(one)));
    if (known >= 0) return known;
    const group = await this.of(member);
    if (!group) return -1;
    this.early.add(keyOf(group));
    return this.groups.push(group) - 1;
  }

  /** Put another state of a group in its place. @param {number} at @param {Group} group */
  replace(at, group) {
    this.groups[at] = group;
    this.decided.delete(keyOf(group));
  }

  /** The next open group after a place, or before it; -1 where there is none. @param {number} from @param {1 | -1} step */
  next(from, step = 1) {
    for (let at = from + step; at >= 0 && at < this.groups.length; at += step) if (!this.decided.has(keyOf(this.groups[at]))) return at;
    return -1;
  }
}
