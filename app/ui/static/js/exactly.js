/** JSON with all digits of its whole numbers: those beyond 2^53 come back as they were sent, where the browser can keep them. */

const whole = /^-?\d+$/;

/** @param {string} text @returns {any} */
export function parseExactly(text) {
  const raw = /** @type {any} */ (JSON).rawJSON;
  if (!raw) return JSON.parse(text);
  const keep = /** @type {any} */ ((/** @type {string} */ _, /** @type {any} */ value, /** @type {any} */ context) =>
    typeof value === "number" && !Number.isSafeInteger(value) && whole.test(context?.source ?? "") ? raw(context.source) : value);
  return JSON.parse(text, keep);
}

/**
 * Read what somebody typed as a JSON object.
 * @param {string} text
 * @returns {any}
 * @throws {WrongJson} it is none; the error knows the place
 */
export function typedObject(text) {
  let value;
  try {
    value = parseExactly(text);
  } catch {
    throw wrongIn(text);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) throw new WrongJson("a JSON object is expected, which begins with {", text, 0);
  return value;
}

export class WrongJson extends Error {
  /** @param {string} sentence @param {string} text @param {number} at the place in it */
  constructor(sentence, text, at) {
    const before = text.slice(0, at).split("\n");
    super(`Line ${before.length}, column ${/** @type {string} */ (before.at(-1)).length + 1}: ${sentence}.`);
    this.at = at;
  }
}

const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/y;
const PLAIN = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const SPACE = /[ \t\n\r]*/y;

/** Find the place at which a text stops being JSON: browsers tell it each in its own way, or not at all. @param {string} text */
function wrongIn(text) {
  let at = 0;
  const take = (/** @type {RegExp} */ pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found) at += found[0].length;
    return Boolean(found);
  };
  const sign = (/** @type {string} */ one) => (take(SPACE), text[at] === one && Boolean(++at));
  const fail = (/** @type {string} */ sentence) => { throw new WrongJson(sentence, text, at); };
  const string = (/** @type {string} */ what) => (take(SPACE), take(STRING) || fail(text[at] === '"' ? "this text has no end, or a sign that must be written with \\" : `${what} is expected`));
  const list = (/** @type {string} */ end, /** @type {() => void} */ entry) => {
    if (sign(end)) return;
    do entry(); while (sign(","));
    if (!sign(end)) fail(`a comma or ${end} is expected`);
  };
  const value = () => {
    take(SPACE);
    if (sign("{")) list("}", () => { string("a name in double quotes"); if (!sign(":")) fail("a colon is expected"); value(); });
    else if (sign("[")) list("]", value);
    else if (text[at] === '"' || !take(PLAIN)) string("a value");
  };
  try {
    value();
    take(SPACE);
    if (at < text.length) fail("nothing more is expected");
  } catch (error) {
    return error;
  }
  return new WrongJson("this is no JSON", text, 0);
}
