/** Pictures beside each other at one scale: zoom and pan go in step, two blink in one place, differences are drawn. */

import { h } from "./dom.js";

const MOST_ZOOM = 32;
const BLINK = 350;
const SHOWN_SIDE = 720;

/** @typedef {{id: string, pane: HTMLElement, turn: HTMLElement, image: HTMLImageElement, canvas: HTMLCanvasElement, note: HTMLElement}} Shot */

export class Stage {
  constructor() {
    /** @type {Shot[]} */
    this.shots = [];
    this.zoom = 1;
    this.x = 0;
    this.y = 0;
    this.timer = 0;
  }

  /** A pane for a picture. @param {string} id @param {string} title @returns {Shot} */
  shot(id, title) {
    const image = h("img", { alt: title, draggable: false });
    const canvas = h("canvas", { hidden: true, role: "img" });
    const turn = h("div", { class: "turn" }, image, canvas);
    const note = h("span", { class: "pane-note", hidden: true });
    const pane = h("div", { class: "pane" }, turn, note);
    const made = { id, pane, turn, image, canvas, note };
    this.listen(made);
    return made;
  }

  /** @param {Shot[]} shots */
  show(shots) {
    this.unblink();
    this.shots = shots;
    this.fit();
  }

  fit() {
    this.zoom = 1;
    this.x = this.y = 0;
    this.apply();
  }

  apply() {
    const most = Math.max(0, (this.zoom - 1) / 2);
    this.x = Math.min(most, Math.max(-most, this.x));
    this.y = Math.min(most, Math.max(-most, this.y));
    for (const { turn, pane } of this.shots) {
      turn.style.transform = `translate(${this.x * 100}%, ${this.y * 100}%) scale(${this.zoom})`;
      pane.classList.toggle("zoomed", this.zoom > 1);
    }
  }

  /** Zoom about a point of a pane, in shares of its sides from the middle. @param {number} to @param {number} [px] @param {number} [py] */
  zoomTo(to, px = 0, py = 0) {
    const next = Math.min(MOST_ZOOM, Math.max(Math.min(1, this.whole), to));
    const ratio = next / this.zoom;
    this.x = px - (px - this.x) * ratio;
    this.y = py - (py - this.y) * ratio;
    this.zoom = next;
    this.apply();
  }

  /** The zoom at which the largest picture is shown pixel by pixel. */
  get whole() {
    const scales = this.shots.map(({ image, pane }) => Math.max(image.naturalWidth / (pane.clientWidth || 1), image.naturalHeight / (pane.clientHeight || 1)));
    return (Math.max(0, ...scales) || 1) / devicePixelRatio;
  }

  toggleWhole() {
    if (Math.abs(this.zoom - this.whole) < 0.001) this.fit();
    else this.zoomTo(this.whole);
  }

  /** @param {Shot} shot */
  listen({ pane }) {
    /** @param {MouseEvent} event @returns {[number, number]} */
    const at = (event) => {
      const box = pane.getBoundingClientRect();
      return [(event.clientX - box.left) / box.width - 0.5, (event.clientY - box.top) / box.height - 0.5];
    };
    pane.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoomTo(this.zoom * Math.exp(-event.deltaY / 400), ...at(event));
    }, { passive: false });
    /** @type {[number, number] | null} */
    let from = null;
    pane.addEventListener("pointerdown", (event) => {
      if (this.zoom <= 1 || event.button) return;
      from = at(event);
      pane.setPointerCapture(event.pointerId);
    });
    pane.addEventListener("pointermove", (event) => {
      if (!from) return;
      const to = at(event);
      this.x += to[0] - from[0];
      this.y += to[1] - from[1];
      from = to;
      this.apply();
    });
    for (const name of ["pointerup", "pointercancel"]) pane.addEventListener(name, () => (from = null));
  }

  /** Show another picture in the place of one, in turns. @param {Shot} here @param {Shot} other */
  blink(here, other) {
    this.unblink();
    const above = h("img", { src: other.image.src, alt: "", class: "above" });
    here.turn.append(above);
    here.pane.classList.add("blinking");
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    this.timer = window.setInterval(() => (above.hidden = !above.hidden), BLINK);
  }

  unblink() {
    clearInterval(this.timer);
    for (const { turn, pane } of this.shots) {
      pane.classList.remove("blinking");
      turn.querySelector(".above")?.remove();
    }
  }

  /** Draw what differs from one picture, or show the pictures again. @param {Shot | null} reference */
  difference(reference) {
    for (const shot of this.shots) {
      const drawn = reference !== null && shot !== reference && shot.image.naturalWidth > 0 && reference.image.naturalWidth > 0;
      shot.canvas.hidden = !drawn;
      shot.note.hidden = !drawn;
      if (!drawn || !reference) continue;
      const share = differ(shot.canvas, reference.image, shot.image);
      shot.note.textContent = `${(share * 100).toFixed(1)} % differs`;
      shot.canvas.setAttribute("aria-label", shot.note.textContent);
    }
  }
}

/**
 * Draw |a - b| as both pictures lie in one frame; return the share of its pixels that an eye tells apart.
 * @param {HTMLCanvasElement} canvas @param {HTMLImageElement} a @param {HTMLImageElement} b
 */
export function differ(canvas, a, b) {
  const scale = Math.min(1, SHOWN_SIDE / Math.max(a.naturalWidth, a.naturalHeight));
  const width = Math.max(1, Math.round(a.naturalWidth * scale));
  const height = Math.max(1, Math.round(a.naturalHeight * scale));
  Object.assign(canvas, { width, height });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  pen.fillStyle = "#808080"; // What the other does not reach differs from a grey.
  pen.fillRect(0, 0, width, height);
  pen.drawImage(a, 0, 0, width, height);
  pen.globalCompositeOperation = "difference";
  const fit = Math.min(width / b.naturalWidth, height / b.naturalHeight);
  const [w, t] = [b.naturalWidth * fit, b.naturalHeight * fit];
  pen.drawImage(b, (width - w) / 2, (height - t) / 2, w, t);
  const drawn = pen.getImageData(0, 0, width, height);
  const { data } = drawn;
  let differing = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (Math.max(data[at], data[at + 1], data[at + 2]) > 24) differing++;
    for (let part = 0; part < 3; part++) data[at + part] = Math.min(255, data[at + part] * 4);
  }
  pen.putImageData(drawn, 0, 0);
  return differing / (width * height);
}
