/** `<picture-map>`: points in a plane, drawn by WebGL2, or on a 2-D canvas where there is none. Pan, zoom, lasso, hover. */

import { h } from "./dom.js";

/**
 * @typedef {{x: number, y: number, zoom: number}} View the middle, and by how much more than whole it is seen
 * @typedef {[number, number]} Point
 */

const VERTEX = `#version 300 es
in vec2 place; in uint code; in uint lit; uniform vec2 middle, scale; uniform float size; uniform mediump sampler2D palette;
out vec4 colour;
void main() {
  gl_Position = vec4((place - middle) * scale, 0.0, 1.0); gl_PointSize = size * (lit == 2u ? 1.6 : 1.0);
  colour = texelFetch(palette, ivec2(int(code), 0), 0); if (lit == 0u) colour.a *= 0.12;
}`;
const FRAGMENT = `#version 300 es
precision mediump float; in vec4 colour; out vec4 drawn;
void main() {
  float away = length(gl_PointCoord - 0.5) * 2.0; float there = 1.0 - smoothstep(0.75, 1.0, away);
  if (there <= 0.0) discard; float a = colour.a * there; drawn = vec4(colour.rgb * a, a);
}`;
const FAR = 1e9;
const MOST_ZOOM = 400;
const REACH = 12; // pixels around the pointer in which a point is looked for

export class PictureMap extends HTMLElement {
  constructor() {
    super();
    /** @type {Float32Array} */
    this.points = new Float32Array();
    /** @type {Uint8Array} */
    this.codes = new Uint8Array();
    /** @type {Uint8Array} */
    this.lit = new Uint8Array();
    /** @type {Uint8Array} 256 colours, four bytes each */
    this.palette = new Uint8Array(1024);
    /** @type {View} */
    this.view = { x: 0, y: 0, zoom: 1 };
    this.whole = { x: 0, y: 0, span: 1 };
    this.frame = 0;
    this.drawings = 0;
    this.budget = Infinity; // points that are drawn while the map moves: as many as the machine draws in time
    this.movedAt = 0;
    this.drawnAt = 0;
    this.still = 0;
    this.drawing = false;
    /** @type {Point[] | null} */
    this.path = null;
    /** @type {{cells: Int32Array, starts: Int32Array, many: number} | null} */
    this.index = null;
    /** @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    /** @type {{box: HTMLElement, x: number, y: number}[]} */
    this.marks = [];
    this.canvas = h("canvas", { tabIndex: 0, role: "img", "aria-label": "Map of the pictures", "aria-describedby": "map-help" });
    this.over = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.over.setAttribute("class", "lasso");
    this.over.setAttribute("aria-hidden", "true");
    this.shape = document.createElementNS("http://www.w3.org/2000/svg", "path");
    this.over.append(this.shape);
    this.labels = h("div", { class: "marks" });
    this.draw = this.draw.bind(this);
    this.soon = () => (this.frame ||= requestAnimationFrame(this.draw));
  }

  connectedCallback() {
    this.append(this.canvas, this.over, this.labels);
    for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel", "pointerleave", "keydown", "dblclick"]) this.canvas.addEventListener(name, this);
    this.canvas.addEventListener("wheel", this, { passive: false });
    this.canvas.addEventListener("webglcontextlost", (/** @type {Event} */ event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => { this.gl = null; this.begin(); });
    this.watch = new ResizeObserver(this.soon);
    this.watch.observe(this);
    this.begin();
  }

  disconnectedCallback() {
    this.watch?.disconnect();
  }

  /** Prepare WebGL2; without it the points are drawn on a 2-D canvas. */
  begin() {
    /** @type {WebGL2RenderingContext | null} */
    const gl = this.dataset.plain === "1" ? null : this.canvas.getContext("webgl2", { antialias: false, premultipliedAlpha: true });
    this.flat = gl ? null : /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.gl = gl;
    this.dataset.by = gl ? "webgl2" : "2d";
    if (!gl) return this.soon();
    const program = gl.createProgram();
    for (const [kind, source] of /** @type {const} */ ([[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]])) {
      const shader = /** @type {WebGLShader} */ (gl.createShader(kind));
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    gl.useProgram(program);
    const [place, code, lit] = ["place", "code", "lit"].map((name) => gl.getAttribLocation(program, name));
    this.buffers = { place: gl.createBuffer(), code: gl.createBuffer(), lit: gl.createBuffer() };
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers.place);
    gl.enableVertexAttribArray(place);
    gl.vertexAttribPointer(place, 2, gl.FLOAT, false, 0, 0);
    for (const [at, buffer] of /** @type {[number, WebGLBuffer][]} */ ([[code, this.buffers.code], [lit, this.buffers.lit]])) {
      gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
      gl.enableVertexAttribArray(at);
      gl.vertexAttribIPointer(at, 1, gl.UNSIGNED_BYTE, 0, 0);
    }
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    this.named = Object.fromEntries(["middle", "scale", "size"].map((name) => [name, gl.getUniformLocation(program, name)]));
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    this.send("place", this.points);
    this.send("code", this.codes);
    this.send("lit", this.lit);
    this.paint();
  }

  /** @param {"place" | "code" | "lit"} name @param {Float32Array | Uint8Array} values */
  send(name, values) {
    this.soon();
    if (!this.gl || !this.buffers) return;
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[name]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, values, this.gl.STATIC_DRAW);
  }

  paint() {
    this.soon();
    this.gl?.texImage2D(this.gl.TEXTURE_2D, 0, this.gl.RGBA, 256, 1, 0, this.gl.RGBA, this.gl.UNSIGNED_BYTE, this.palette);
  }

  get count() {
    return this.points.length / 2;
  }

  /** Show other points. @param {Float32Array} points x, y of each; NaN where there is none */
  show(points) {
    let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let n = 0; n < points.length; n += 2) {
      if (Number.isNaN(points[n])) { points[n] = points[n + 1] = FAR; continue; }
      left = Math.min(left, points[n]); right = Math.max(right, points[n]);
      low = Math.min(low, points[n + 1]); high = Math.max(high, points[n + 1]);
    }
    this.points = points;
    const there = left <= right;
    this.whole = there ? { x: (left + right) / 2, y: (low + high) / 2, span: Math.max(right - left, high - low, 1e-6) * 1.06 } : { x: 0, y: 0, span: 1 };
    this.index = there ? indexed(points, this.whole.x - this.whole.span / 2, this.whole.y - this.whole.span / 2, this.whole.span) : null;
    this.lit = new Uint8Array(this.count).fill(1);
    this.codes = new Uint8Array(this.count);
    this.send("place", points);
    this.send("code", this.codes);
    this.send("lit", this.lit);
  }

  /** Colour the points. @param {Uint8Array} codes @param {Uint8Array} palette */
  colour(codes, palette) {
    this.codes = codes.length === this.count ? codes : new Uint8Array(this.count);
    this.palette = palette;
    this.send("code", this.codes);
    this.paint();
  }

  /** Make points stand out: 0 dim, 1 plain, 2 large. @param {Uint8Array} lit */
  light(lit) {
    this.lit = lit;
    this.send("lit", lit);
  }

  /** Pixels a unit of the map takes. */
  get unit() {
    return (this.view.zoom * Math.min(this.clientWidth, this.clientHeight)) / this.whole.span;
  }

  /** @param {Partial<View>} view @param {boolean} [quietly] say nothing of it */
  look(view, quietly) {
    const next = { ...this.view, ...view };
    next.zoom = Math.min(MOST_ZOOM, Math.max(0.5, next.zoom));
    const reach = this.whole.span / 2;
    next.x = Math.min(this.whole.x + reach, Math.max(this.whole.x - reach, next.x));
    next.y = Math.min(this.whole.y + reach, Math.max(this.whole.y - reach, next.y));
    this.view = next;
    this.movedAt = performance.now();
    this.soon();
    if (!quietly) this.dispatchEvent(new CustomEvent("view"));
  }

  fit() {
    this.look({ x: this.whole.x, y: this.whole.y, zoom: 1 });
  }

  /** @param {number} by @param {{x: number, y: number}} [at] in pixels of the element, the middle where it is left out */
  zoom(by, at = { x: this.clientWidth / 2, y: this.clientHeight / 2 }) {
    const before = this.where(at);
    const zoom = Math.min(MOST_ZOOM, Math.max(0.5, this.view.zoom * by));
    const unit = (this.unit * zoom) / this.view.zoom;
    this.look({ zoom, x: before[0] - (at.x - this.clientWidth / 2) / unit, y: before[1] + (at.y - this.clientHeight / 2) / unit });
  }

  /** @param {{x: number, y: number}} at @returns {Point} */
  where(at) {
    return [this.view.x + (at.x - this.clientWidth / 2) / this.unit, this.view.y - (at.y - this.clientHeight / 2) / this.unit];
  }

  /** @param {number} x @param {number} y */
  pixels(x, y) {
    return { x: this.clientWidth / 2 + (x - this.view.x) * this.unit, y: this.clientHeight / 2 - (y - this.view.y) * this.unit };
  }

  /** Boxes that stand at points of the map. @param {{box: HTMLElement, x: number, y: number}[]} marks */
  mark(marks) {
    this.marks = marks;
    this.labels.replaceChildren(...marks.map((one) => one.box));
    this.soon();
  }

  draw() {
    this.frame = 0;
    const [width, height] = [this.clientWidth, this.clientHeight];
    if (!width || !height) return;
    const dense = Math.min(2, devicePixelRatio || 1);
    if (this.canvas.width !== Math.round(width * dense) || this.canvas.height !== Math.round(height * dense)) {
      this.canvas.width = Math.round(width * dense);
      this.canvas.height = Math.round(height * dense);
    }
    const size = Math.min(14, Math.max(1.6, 90 / Math.sqrt(this.count + 1)) * Math.sqrt(this.view.zoom)) * dense;
    if (this.gl && this.named) {
      const gl = this.gl;
      gl.viewport(0, 0, this.canvas.width, this.canvas.height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform2f(this.named.middle, this.view.x, this.view.y);
      gl.uniform2f(this.named.scale, (2 * this.unit) / width, (2 * this.unit) / height);
      gl.uniform1f(this.named.size, size + dense);
      if (this.count) gl.drawArrays(gl.POINTS, 0, this.inTime());
    } else if (this.flat) this.drawFlat(this.flat, size, dense);
    for (const { box, x, y } of this.marks) {
      const at = this.pixels(x, y);
      box.hidden = at.x < 0 || at.y < 0 || at.x > width || at.y > height;
      box.style.transform = `translate(${at.x.toFixed(1)}px, ${at.y.toFixed(1)}px)`;
    }
    this.shape.setAttribute("d", this.path ? `M${this.path.map(([x, y]) => { const at = this.pixels(x, y); return `${at.x.toFixed(1)} ${at.y.toFixed(1)}`; }).join("L")}Z` : "");
    this.drawings += 1;
  }

  /**
   * How many points to draw now: all, or while the map moves as many as are drawn in time. Places were drawn by lot, so that
   * the first of them are a sample.
   */
  inTime() {
    const now = performance.now();
    const took = now - this.drawnAt;
    this.drawnAt = now;
    if (now - this.movedAt > 200) return this.count;
    if (took < 1000) this.budget = Math.min(this.count, Math.max(2000, Math.min(this.budget, this.count) * (took > 30 ? Math.max(0.3, 25 / took) : 1.1)));
    clearTimeout(this.still);
    this.still = window.setTimeout(this.soon, 250);
    return Math.min(this.count, Math.round(this.budget));
  }

  /** @param {CanvasRenderingContext2D} flat @param {number} size @param {number} dense */
  drawFlat(flat, size, dense) {
    const { width, height } = this.canvas;
    flat.clearRect(0, 0, width, height);
    const unit = this.unit * dense;
    let last = -1;
    for (let n = 0; n < this.count; n++) {
      const x = width / 2 + (this.points[2 * n] - this.view.x) * unit;
      const y = height / 2 - (this.points[2 * n + 1] - this.view.y) * unit;
      if (x < 0 || y < 0 || x > width || y > height) continue;
      const [code, lit] = [this.codes[n], this.lit[n]];
      if (code * 4 + lit !== last) {
        last = code * 4 + lit;
        const [r, g, b, a] = this.palette.subarray(4 * code, 4 * code + 4);
        flat.fillStyle = `rgba(${r},${g},${b},${(a / 255) * (lit ? 1 : 0.12)})`;
      }
      flat.fillRect(x - size / 2, y - size / 2, size, size);
    }
  }

  /** The number of the point nearest to a place, -1 where none is near. @param {{x: number, y: number}} at */
  under(at) {
    if (!this.index) return -1;
    const [x, y] = this.where(at);
    const reach = REACH / this.unit;
    let [found, least] = [-1, reach * reach];
    for (const n of this.near(x - reach, y - reach, x + reach, y + reach)) {
      const away = (this.points[2 * n] - x) ** 2 + (this.points[2 * n + 1] - y) ** 2;
      if (away < least) [found, least] = [n, away];
    }
    return found;
  }

  /** @param {number} left @param {number} low @param {number} right @param {number} high */
  *near(left, low, right, high) {
    if (!this.index) return;
    const { cells, starts, many } = this.index;
    const cell = (/** @type {number} */ value, /** @type {number} */ from) => Math.min(many - 1, Math.max(0, Math.floor(((value - from) / this.whole.span) * many)));
    const [x0, y0] = [this.whole.x - this.whole.span / 2, this.whole.y - this.whole.span / 2];
    for (let i = cell(left, x0); i <= cell(right, x0); i++) {
      for (let j = cell(low, y0); j <= cell(high, y0); j++) {
        for (let n = starts[i * many + j]; n < starts[i * many + j + 1]; n++) yield cells[n];
      }
    }
  }

  /** The numbers of the points within a polygon. @param {Point[]} path */
  within(path) {
    const [xs, ys] = [path.map(([x]) => x), path.map(([, y]) => y)];
    const found = [];
    for (const n of this.near(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys))) {
      if (inside(path, this.points[2 * n], this.points[2 * n + 1])) found.push(n);
    }
    return found.sort((one, other) => one - other);
  }

  /** @param {any} event */
  handleEvent(event) {
    const at = { x: event.offsetX, y: event.offsetY };
    if (event.type === "wheel") {
      event.preventDefault();
      this.zoom(Math.exp(-Math.max(-120, Math.min(120, event.deltaY)) / 300), at);
    } else if (event.type === "keydown") this.key(event);
    else if (event.type === "dblclick") this.zoom(2, at);
    else if (event.type === "pointerdown") {
      this.canvas.setPointerCapture(event.pointerId);
      this.pointers.set(event.pointerId, at);
      this.from = { ...at, moved: false };
      if (this.drawing || event.shiftKey) this.path = [this.where(at)];
    } else if (event.type === "pointermove") this.move(event.pointerId, at);
    else if (event.type === "pointerleave") this.dispatchEvent(new CustomEvent("over", { detail: { place: -1, at } }));
    else this.release(event.pointerId, at, event.type === "pointerup");
  }

  /** @param {number} pointer @param {{x: number, y: number}} at */
  move(pointer, at) {
    const before = this.pointers.get(pointer);
    if (!before) return void this.dispatchEvent(new CustomEvent("over", { detail: { place: this.under(at), at } }));
    if (this.from && Math.hypot(at.x - this.from.x, at.y - this.from.y) > 4) this.from.moved = true;
    if (this.pointers.size === 2) {
      const other = [...this.pointers].filter(([id]) => id !== pointer)[0][1];
      const span = (/** @type {{x: number, y: number}} */ one) => Math.max(10, Math.hypot(one.x - other.x, one.y - other.y));
      this.zoom(span(at) / span(before), other);
    } else if (this.path && this.from) {
      const last = this.pixels(...this.path[this.path.length - 1]);
      if (Math.hypot(at.x - last.x, at.y - last.y) > 5) this.path.push(this.where(at));
      this.soon();
    } else if (this.from?.moved) this.look({ x: this.view.x - (at.x - before.x) / this.unit, y: this.view.y + (at.y - before.y) / this.unit });
    this.pointers.set(pointer, at);
  }

  /** @param {number} pointer @param {{x: number, y: number}} at @param {boolean} done */
  release(pointer, at, done) {
    if (!this.pointers.delete(pointer) || !this.from) return;
    if (this.path && this.from.moved && done) this.dispatchEvent(new CustomEvent("lasso", { detail: this.path }));
    else if (done && !this.from.moved && !this.pointers.size) this.dispatchEvent(new CustomEvent("pick", { detail: this.under(at) }));
    this.from = undefined;
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60 / this.unit;
    const moves = /** @type {Record<string, Partial<View>>} */ ({ ArrowLeft: { x: this.view.x - step }, ArrowRight: { x: this.view.x + step }, ArrowUp: { y: this.view.y + step }, ArrowDown: { y: this.view.y - step } });
    if (event.key in moves) this.look(moves[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.4);
    else if (event.key === "-") this.zoom(1 / 1.4);
    else if (event.key === "Enter") this.dispatchEvent(new CustomEvent("pick", { detail: this.under({ x: this.clientWidth / 2, y: this.clientHeight / 2 }) }));
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/**
 * Sort points into square cells, so that those near a place are found at once.
 * @param {Float32Array} points @param {number} x0 @param {number} y0 @param {number} span
 */
function indexed(points, x0, y0, span) {
  const count = points.length / 2;
  const many = Math.max(1, Math.min(512, Math.round(Math.sqrt(count / 4))));
  const starts = new Int32Array(many * many + 1);
  const of = new Int32Array(count).fill(-1);
  for (let n = 0; n < count; n++) {
    if (points[2 * n] === FAR) continue;
    const i = Math.min(many - 1, Math.max(0, Math.floor(((points[2 * n] - x0) / span) * many)));
    const j = Math.min(many - 1, Math.max(0, Math.floor(((points[2 * n + 1] - y0) / span) * many)));
    of[n] = i * many + j;
    starts[of[n] + 1] += 1;
  }
  for (let n = 0; n < many * many; n++) starts[n + 1] += starts[n];
  const next = starts.slice();
  const cells = new Int32Array(starts[many * many]);
  for (let n = 0; n < count; n++) if (of[n] >= 0) cells[next[of[n]]++] = n;
  return { cells, starts, many };
}

/** @param {Point[]} path @param {number} x @param {number} y */
function inside(path, x, y) {
  let within = false;
  for (let n = 0, m = path.length - 1; n < path.length; m = n++) {
    const [[x1, y1], [x2, y2]] = [path[n], path[m]];
    if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) within = !within;
  }
  return within;
}

customElements.define("picture-map", PictureMap);
