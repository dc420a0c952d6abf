/** `<crop-box>`: a picture with a box on it that is dragged with the pointer, or moved by arrows (with Shift: resized). */

import { h } from "./dom.js";

export class CropBox extends HTMLElement {
  /**
   * @param {string} [source] URL of the picture
   * @param {number[]} [box] x0, y0, x1, y1 in pixels of the picture
   */
  constructor(source = "", box) {
    super();
    this.image = h("img", { src: source, alt: "The picture to cut", draggable: false });
    this.frame = h("div", { class: "crop-frame", tabIndex: 0, role: "group", "aria-label": "Box. Arrows move it, Shift and arrows resize it." });
    this.value = box ?? null;
  }

  connectedCallback() {
    this.append(this.image, this.frame);
    this.image.addEventListener("load", () => {
      this.value ??= [0, 0, this.image.naturalWidth, this.image.naturalHeight];
      this.draw();
    });
    this.addEventListener("pointerdown", this.begin);
    this.frame.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => this.nudge(event));
  }

  get scale() {
    return this.image.naturalWidth / this.image.clientWidth || 1;
  }

  /** The box in whole pixels of the picture; null where it is all of it. */
  get box() {
    if (!this.value) return null;
    const [x0, y0, x1, y1] = this.value.map(Math.round);
    const whole = x0 <= 0 && y0 <= 0 && x1 >= this.image.naturalWidth && y1 >= this.image.naturalHeight;
    return whole || x1 - x0 < 2 || y1 - y0 < 2 ? null : [x0, y0, x1, y1];
  }

  draw() {
    if (!this.value) return;
    const [x0, y0, x1, y1] = this.value.map((one) => one / this.scale);
    Object.assign(this.frame.style, { left: `${x0}px`, top: `${y0}px`, width: `${x1 - x0}px`, height: `${y1 - y0}px` });
  }

  /** @param {number} x @param {number} y @returns {number[]} */
  at(x, y) {
    const place = this.image.getBoundingClientRect();
    const inside = (/** @type {number} */ one, /** @type {number} */ most) => Math.min(most, Math.max(0, one));
    return [inside((x - place.left) * this.scale, this.image.naturalWidth), inside((y - place.top) * this.scale, this.image.naturalHeight)];
  }

  /** @param {PointerEvent} event */
  begin(event) {
    event.preventDefault();
    this.frame.focus();
    const start = this.at(event.clientX, event.clientY);
    const move = (/** @type {PointerEvent} */ moved) => {
      const now = this.at(moved.clientX, moved.clientY);
      this.value = [Math.min(start[0], now[0]), Math.min(start[1], now[1]), Math.max(start[0], now[0]), Math.max(start[1], now[1])];
      this.draw();
    };
    const end = () => removeEventListener("pointermove", move);
    addEventListener("pointermove", move);
    addEventListener("pointerup", end, { once: true });
  }

  /** @param {KeyboardEvent} event */
  nudge(event) {
    const steps = /** @type {Record<string, number[]>} */ ({ ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] });
    const step = steps[event.key];
    if (!step || !this.value) return;
    event.preventDefault();
    const by = Math.max(1, Math.round(this.image.naturalWidth / 50));
    const [width, height] = [this.image.naturalWidth, this.image.naturalHeight];
    let [x0, y0, x1, y1] = this.value;
    if (event.shiftKey) {
      x1 = Math.min(width, Math.max(x0 + by, x1 + step[0] * by));
      y1 = Math.min(height, Math.max(y0 + by, y1 + step[1] * by));
    } else {
      const dx = Math.min(width - x1, Math.max(-x0, step[0] * by));
      const dy = Math.min(height - y1, Math.max(-y0, step[1] * by));
      [x0, x1, y0, y1] = [x0 + dx, x1 + dx, y0 + dy, y1 + dy];
    }
    this.value = [x0, y0, x1, y1];
    this.draw();
  }
}

customElements.define("crop-box", CropBox);

/**
 * Ask for a part of a picture; resolves with its box, null for all of it, undefined where nothing shall change.
 * @param {string} source
 * @param {number[]} [box]
 * @returns {Promise<number[] | null | undefined>}
 */
export function askBox(source, box) {
  return new Promise((resolve) => {
    const crop = new CropBox(source, box);
    const end = (/** @type {any} */ value) => { dialog.close(); resolve(value); };
    const dialog = h("dialog", { class: "card crop", "aria-label": "Cut the picture", onclose: () => { dialog.remove(); resolve(undefined); } },
      h("h2", {}, "Search by a part of the picture"), h("p", { class: "soft" }, "Drag a box over what counts."), crop,
      h("div", { class: "row" }, h("button", { type: "button", class: "main", onclick: () => end(crop.box) }, "Search by this part"),
        h("button", { type: "button", onclick: () => end(null) }, "Whole picture"), h("button", { type: "button", class: "quiet", onclick: () => end(undefined) }, "Cancel")));
    document.body.append(dialog);
    dialog.showModal();
  });
}
