/** `<picture-grid>`: a virtual grid of pictures in boxes of one shape. Arrows move; only what is near the window is there. */

import { h } from "./dom.js";

/**
 * @typedef {{id: string, picture: string, title: string, note?: string, badge?: string}} Cell
 */

const GAP = 12;
const CAPTION = 30;

export class PictureGrid extends HTMLElement {
  constructor() {
    super();
    /** @type {Cell[]} */
    this.cells = [];
    this.total = 0;
    this.side = 180;
    this.columns = 1;
    this.width = 0;
    this.current = 0;
    this.chosen = "";
    this.busy = false;
    /** @type {Set<string>} */
    this.selected = new Set();
    this.anchor = 0;
    /** @type {Map<number, HTMLElement>} */
    this.shown = new Map();
    this.frame = 0;
    this.list = h("ul", { class: "grid-list", "aria-label": "Pictures" });
    this.draw = this.draw.bind(this);
    this.soon = () => (this.frame ||= requestAnimationFrame(this.draw));
  }

  connectedCallback() {
    if (!this.list.isConnected) this.append(this.list);
    this.addEventListener("keydown", this);
    this.addEventListener("click", this);
    this.addEventListener("focusin", this);
    addEventListener("scroll", this.soon, { passive: true });
    this.watch = new ResizeObserver(this.soon);
    this.watch.observe(this);
  }

  disconnectedCallback() {
    removeEventListener("scroll", this.soon);
    this.watch?.disconnect();
  }

  /**
   * Show other pictures. `total` is how many there are, those that are not loaded yet included.
   * @param {Cell[]} cells
   * @param {number} [total]
   */
  show(cells, total = cells.length) {
    this.cells = cells;
    this.total = Math.max(total, cells.length);
    this.current = Math.min(this.current, Math.max(0, cells.length - 1));
    this.clear();
  }

  /** @param {Cell[]} cells @param {number} [total] */
  add(cells, total = this.total) {
    const from = this.cells.length;
    this.cells = this.cells.concat(cells);
    this.total = Math.max(total, this.cells.length);
    for (const [at, box] of this.shown) if (at >= from) { box.remove(); this.shown.delete(at); }
    this.soon();
  }

  /** Show boxes without pictures while an answer is on its way. @param {number} count */
  wait(count) {
    this.cells = [];
    this.total = count;
    this.clear();
  }

  /** @param {number} side of a picture's box, in pixels */
  resize(side) {
    this.side = side;
    this.clear();
  }

  /** Mark a record as the one that is looked at. @param {string} id */
  choose(id) {
    this.chosen = id;
    for (const [at, box] of this.shown) box.firstElementChild?.setAttribute("aria-current", String(this.cells[at]?.id === id));
  }

  /** Mark the records that are selected. @param {Iterable<string>} ids */
  mark(ids) {
    this.selected = new Set(ids);
    for (const [at, box] of this.shown) this.markBox(at, box);
  }

  /** @param {number} at @param {HTMLElement} box */
  markBox(at, box) {
    const on = this.selected.has(this.cells[at]?.id);
    box.classList.toggle("selected", on);
    box.querySelector(".picked")?.remove();
    if (on) box.querySelector(".frame")?.append(h("span", { class: "picked" }, "✓", h("span", { class: "hidden" }, " selected")));
  }

  /** Select a record, or no longer; with `range`, all from the last one that was to this one. @param {number} at @param {boolean} [range] */
  select(at, range = false) {
    const one = this.cells[at];
    if (!one) return;
    const next = new Set(this.selected);
    if (range) for (const { id } of this.cells.slice(Math.min(at, this.anchor), Math.max(at, this.anchor) + 1)) next.add(id);
    else if (!next.delete(one.id)) next.add(one.id);
    if (!range) this.anchor = at;
    this.mark(next);
    this.dispatchEvent(new CustomEvent("select", { detail: { ids: [...next] } }));
  }

  /** Give the focus to a place. @param {number} at */
  focusAt(at) {
    this.current = Math.max(0, Math.min(at, this.cells.length - 1));
    const row = Math.floor(this.current / this.columns);
    const top = this.getBoundingClientRect().top + row * this.rowHeight;
    const head = 120;
    if (top < head) scrollBy(0, top - head);
    else if (top + this.rowHeight > innerHeight) scrollBy(0, top + this.rowHeight - innerHeight + GAP);
    this.draw();
    for (const [place, box] of this.shown) /** @type {HTMLElement} */ (box.firstElementChild).tabIndex = place === this.current ? 0 : -1;
    /** @type {HTMLElement | undefined} */ (this.shown.get(this.current)?.firstElementChild)?.focus({ preventScroll: true });
  }

  get rowHeight() {
    return this.box + CAPTION + GAP;
  }

  get box() {
    return Math.floor((this.width - GAP * (this.columns - 1)) / this.columns);
  }

  clear() {
    for (const box of this.shown.values()) box.remove();
    this.shown.clear();
    this.soon();
  }

  draw() {
    this.frame = 0;
    // Places are read before anything is written: the browser lays the page out once for a drawing, not for each box.
    const width = this.clientWidth;
    if (!width) return;
    const top = this.getBoundingClientRect().top;
    const columns = Math.max(1, Math.floor((width + GAP) / (this.side + GAP)));
    if (columns !== this.columns || width !== this.width) {
      this.columns = columns;
      this.width = width;
      for (const box of this.shown.values()) box.remove();
      this.shown.clear();
    }
    const rows = Math.ceil(this.total / columns);
    this.list.style.height = `${Math.max(0, rows * this.rowHeight - GAP)}px`;
    const first = Math.max(0, Math.floor((-top - innerHeight) / this.rowHeight)) * columns;
    const last = Math.min(this.total, Math.ceil((-top + 2 * innerHeight) / this.rowHeight) * columns);
    for (const [at, box] of this.shown) {
      if (at < first || at >= last) { box.remove(); this.shown.delete(at); }
    }
    // From the end on, each before the one that follows: what is there already is not moved, and keeps the focus.
    let next = null;
    for (let at = last - 1; at >= first; at--) {
      let box = this.shown.get(at);
      if (!box) {
        box = this.cell(at);
        this.shown.set(at, box);
        this.list.insertBefore(box, next);
      }
      next = box;
    }
    if (!this.shown.has(this.current)) {
      const button = this.shown.get(first)?.firstElementChild;
      if (button instanceof HTMLButtonElement) button.tabIndex = 0;
    }
    if (last > this.cells.length && this.cells.length && this.cells.length < this.total) this.dispatchEvent(new CustomEvent("more"));
  }

  /** @param {number} at @returns {HTMLElement} */
  cell(at) {
    const side = this.box;
    const one = this.cells[at];
    const place = h("li", { class: "cell", "aria-setsize": this.total, "aria-posinset": at + 1 });
    place.style.width = `${side}px`;
    place.style.transform = `translate(${(at % this.columns) * (side + GAP)}px, ${Math.floor(at / this.columns) * this.rowHeight}px)`;
    if (!one) {
      const box = h("div", { class: "skeleton", "aria-hidden": "true" });
      box.style.height = `${side}px`;
      place.append(box);
      return place;
    }
    const frame = h("span", { class: "frame" }, one.picture ? h("img", { src: one.picture, alt: "", decoding: "async", width: side, height: side, onerror: (/** @type {Event} */ event) => /** @type {HTMLElement} */ (event.target).remove() }) : null,
      one.badge ? h("span", { class: "badge" }, one.badge) : null);
    frame.style.height = `${side}px`;
    place.append(h("button", { type: "button", class: "pick", tabIndex: at === this.current ? 0 : -1, "data-at": at, "aria-current": String(one.id === this.chosen), title: one.title },
      frame, h("span", { class: "caption" }, h("span", { class: "name" }, one.title), one.note ? h("span", { class: "note" }, one.note) : null)));
    this.markBox(at, place);
    return place;
  }

  /** @param {Event} event */
  handleEvent(event) {
    const button = /** @type {HTMLElement} */ (event.target).closest?.("[data-at]");
    if (!(button instanceof HTMLElement)) return;
    const at = Number(button.dataset.at);
    if (event.type === "focusin") {
      const old = this.shown.get(this.current)?.firstElementChild;
      if (old instanceof HTMLElement) old.tabIndex = -1;
      this.current = at;
      button.tabIndex = 0;
    } else if (event instanceof MouseEvent && event.type === "click" && (event.shiftKey || event.ctrlKey || event.metaKey)) {
      this.select(at, event.shiftKey);
    } else if (event.type === "click") {
      this.dispatchEvent(new CustomEvent("pick", { detail: { id: this.cells[at].id, at } }));
    } else if (event instanceof KeyboardEvent && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const steps = /** @type {Record<string, number>} */ ({ ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns });
      const to = event.key === "Home" ? 0 : event.key === "End" ? this.cells.length - 1 : event.key in steps ? at + steps[event.key] : -1;
      if (to < 0 || (to >= this.cells.length && event.key !== "ArrowDown")) return;
      event.preventDefault();
      if (event.shiftKey && !this.selected.size) this.anchor = at;
      this.focusAt(to);
      if (event.shiftKey) this.select(this.current, true);
    }
  }
}

customElements.define("picture-grid", PictureGrid);
