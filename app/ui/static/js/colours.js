/** Colours of a map: eleven that are told apart, a scale from dark to light, grey for what is neither. */

const KINDS = ["#2f78c4", "#e07b1f", "#2f9e57", "#d0433e", "#8a63c2", "#a86a4a", "#d768b0", "#7f9400", "#14a3b5", "#c79a00", "#5b6fd8"];
const SCALE = ["#46327e", "#365c8d", "#277f8e", "#1fa187", "#4ac16d", "#a0da39", "#fde725"];
const GREY = [140, 146, 152];

/** @param {string} text @returns {number[]} */
const parts = (text) => [1, 3, 5].map((at) => Number.parseInt(text.slice(at, at + 2), 16));

/** @param {number} share 0 to 1 @returns {number[]} */
function scale(share) {
  const at = Math.min(SCALE.length - 1.001, Math.max(0, share * (SCALE.length - 1)));
  const [one, other] = [parts(SCALE[Math.floor(at)]), parts(SCALE[Math.floor(at) + 1])];
  return one.map((value, n) => Math.round(value + (other[n] - value) * (at % 1)));
}

/** The colour of a code, as CSS writes it. @param {Uint8Array} palette @param {number} code */
export const css = (palette, code) => `rgb(${palette.subarray(4 * code, 4 * code + 3).join(" ")})`;

/**
 * The 256 colours of codes, four bytes each.
 * @param {"plain" | "values" | "numbers" | "distances"} kind
 * @param {number} [shades]
 * @param {number} [others] the code of those that share one
 */
export function palette(kind, shades = 1, others = 255) {
  const made = new Uint8Array(1024);
  for (let code = 0; code < 256; code++) {
    let colour = GREY;
    if (kind === "plain" && code < 255) colour = parts("#2a8f86");
    else if (kind === "values" && code < others && code < 255) colour = parts(KINDS[code % KINDS.length]);
    else if (kind === "numbers" && code < shades) colour = scale(code / (shades - 1));
    else if (kind === "distances" && code < shades) colour = scale(1 - code / (shades - 1));
    made.set([...colour, code === 255 && kind !== "plain" ? 130 : 220], 4 * code);
  }
  return made;
}
