/** The keys of the review: one hand is enough. */

import { bind } from "./keys.js";

const WHERE = "Review of a group";

/** @param {import("./review.js").Review} review */
export function bindReview(review) {
  const on = () => review.open && review.at >= 0;
  /** @param {string[]} names @param {string} does @param {(event: KeyboardEvent) => void} action @param {() => boolean} [when] */
  const key = (names, does, action, when = on) => { for (const name of names) bind(name, does, action, WHERE, when); };
  const columns = () => getComputedStyle(review.stageBox).gridTemplateColumns.split(" ").length;
  const writes = () => on() && review.writes;
  key(["ArrowRight", "l"], "next picture", () => review.move(review.current + 1));
  key(["ArrowLeft", "h"], "picture before", () => review.move(review.current - 1));
  key(["ArrowDown", "j"], "picture below", () => review.move(review.current + columns()));
  key(["ArrowUp", "k"], "picture above", () => review.move(review.current - columns()));
  key(["Space"], "keep it or not", () => review.toggle(), writes);
  for (let n = 1; n <= 9; n++) key([String(n)], `keep ${n} alone`, () => { const id = review.group.members[n - 1]; if (id) { review.move(n - 1); review.keep(new Set([id])); } }, writes);
  key(["a"], "keep all", () => review.keep(new Set(review.group.members)), writes);
  key(["Enter"], "resolve and go on", () => void review.decisions.resolve(), writes);
  key(["n"], "not duplicates", () => void review.decisions.dismiss(), writes);
  key(["s"], "skip", () => void review.step(1));
  key(["p"], "the group before", () => void review.step(-1));
  key(["u"], "undo", () => void review.decisions.undo(), () => review.open && review.writes);
  key(["b"], "blink, while it is held", (event) => { if (!event.repeat) review.blink(true); });
  key(["d"], "difference", () => review.difference());
  key(["z"], "100 %", () => review.stage.toggleWhole());
  key(["+"], "nearer", () => review.stage.zoomTo(review.stage.zoom * 1.5));
  key(["-"], "farther", () => review.stage.zoomTo(review.stage.zoom / 1.5));
  key(["0"], "the whole picture", () => review.stage.fit());
  key(["t"], "take over attributes", () => { review.host.setMerge(!review.merging); review.draw(review.at); }, writes);
  key(["Escape"], "back to the list", () => review.host.close(), () => review.open);
  addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "b") review.stage.unblink(); });
  addEventListener("blur", () => review.stage.unblink());
}
