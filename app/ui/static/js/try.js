/** The screen Try it: any method of the API, filled from its OpenAPI documents, beside what it answers. */

import { collection, may, root, signIn } from "./api.js";
import { byId, h, icon } from "./dom.js";
import { typedObject, WrongJson } from "./exactly.js";
import { bind } from "./keys.js";
import { fieldsOf, operationsOf, sample } from "./operations-of.js";
import { copy, empty, errorBox } from "./say.js";
import { quoted } from "./snippets.js";
import { bare, forget, remember, tried } from "./tried.js";

/** @typedef {import("./operations-of.js").Operation} Operation */

const LONGEST_URL = 2000;
const LONGEST_SHOWN = 200_000;
const HIDDEN = new Set(["X-Request-ID", "Authorization", "lookalike-version"]);
/** @type {Operation[]} */
let operations = [];
/** @type {Operation | undefined} */
let chosen;
/** What was typed for an operation, while others are looked at. @type {Map<string, {server: string, values: Record<string, string>, body: string}>} */
const drafts = new Map();
let sending = new AbortController();
let shownPicture = "";

async function load() {
  const place = byId("methods");
  try {
    const documents = Object.entries(JSON.parse(byId("try").dataset.documents));
    const told = await Promise.all(documents.map(async ([name, path]) => {
      const answer = await fetch(root + path);
      if (!answer.ok) throw new Error(`${path}: HTTP ${answer.status}`);
      return operationsOf(name, await answer.json());
    }));
    // What a token may not do is not shown.
    operations = told.flat().filter((one) => may.has(one.scope));
    list();
    show();
  } catch (error) {
    place.replaceChildren(errorBox(error, load));
  }
}

function list() {
  const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean);
  const some = operations.filter((one) => words.every((/** @type {string} */ word) => `${one.title} ${one.path} ${one.summary}`.toLowerCase().includes(word)));
  const groups = new Map();
  for (const one of some) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  byId("methods").replaceChildren(...[...groups].map(([group, ones]) => h("details", { open: words.length > 0 || ones.some((/** @type {Operation} */ one) => one === chosen) || (!chosen && group === operations[0]?.group) },
    h("summary", {}, group[0].toUpperCase() + group.slice(1)), h("ul", {}, ...ones.map((/** @type {Operation} */ one) => h("li", {}, h("a", { href: address(one.id), "aria-current": one === chosen ? "true" : undefined, title: one.summary,
      onclick: (/** @type {MouseEvent} */ event) => { if (event.ctrlKey || event.metaKey) return; event.preventDefault(); keep(); history.pushState(null, "", address(one.id)); show(); } }, one.title)))))), some.length ? "" : h("p", { class: "soft" }, "No method is called so."));
}

/** @param {string} id @param {string} [body] */
function address(id, body = "") {
  const query = new URLSearchParams({ ...(collection ? { c: collection } : {}), m: id });
  const short = bare(body);
  if (short && short.length <= LONGEST_URL) query.set("body", short);
  return `${location.pathname}?${query}`;
}

/** Show the operation that the URL names. */
function show() {
  const query = new URLSearchParams(location.search);
  const before = chosen;
  chosen = operations.find((one) => one.id === query.get("m")) ?? (query.has("m") ? undefined : operations.find((one) => one.title === "find") ?? operations[0]);
  if (before !== chosen) byId("answer").replaceChildren();
  list();
  if (!chosen) return byId("request").replaceChildren(empty("There is no such method", "try", h("p", {}, "Or your token may not call it.")));
  const draft = drafts.get(chosen.id);
  const linked = query.get("body");
  draw(chosen, draft ?? { server: usualServer(chosen), values: Object.fromEntries(chosen.parameters.map((one) => [one.name, one.name === "collection-id" || (one.in === "path" && one.name === "name") ? collection : ""])),
    body: linked ?? (chosen.body === undefined ? "" : JSON.stringify(chosen.body, null, 2)) });
  if (!byId("answer").childElementCount) drawHistory();
}

/** @param {Operation} one */
const usualServer = (one) => one.servers[0];

/** @param {Operation} one @param {{server: string, values: Record<string, string>, body: string}} given */
function draw(one, given) {
  const server = h("select", { id: "server" }, ...one.servers.map((url) => h("option", { value: url, selected: url === given.server }, url)));
  const fields = one.parameters.filter(({ name }) => !HIDDEN.has(name)).flatMap((parameter) => {
    const id = `parameter-${parameter.name}`;
    return [h("label", { htmlFor: id, title: parameter.description }, parameter.name, parameter.required ? " *" : ""),
      h("input", { id, "data-parameter": parameter.name, value: given.values[parameter.name] ?? "", placeholder: parameter.example, required: parameter.required, autocomplete: "off", spellcheck: false, title: parameter.description })];
  });
  const takes = one.media.length > 0;
  const json = one.media.includes("application/json") || !takes;
  const body = h("textarea", { id: "body", class: "mono", rows: 10, spellcheck: false, value: given.body, "aria-describedby": "body-wrong" });
  const file = h("input", { type: "file", id: "body-file" });
  const wrong = h("p", { class: "wrong", id: "body-wrong", role: "alert" });
  const form = h("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void send(); } },
    h("div", { class: "place" }, h("span", { class: "verb" }, one.verb), one.servers.length > 1 ? h("label", { class: "hidden", htmlFor: "server" }, "Prefix") : null, one.servers.length > 1 ? server : h("code", {}, one.servers[0]), h("code", {}, one.path)),
    h("p", { class: "said" }, one.description),
    fields.length > 0 && h("div", { class: "parameters" }, ...fields),
    takes && json && h("div", { class: "field" }, h("label", { htmlFor: "body" }, "Body"), body, wrong),
    takes && one.media.some((media) => media !== "application/json") && h("div", { class: "field" }, h("label", { htmlFor: "body-file" }, json ? "Or a file as the body" : "A file as the body"), file),
    h("div", { class: "row" }, h("button", { class: "main", id: "send", title: "Ctrl Enter" }, "Send"), h("button", { type: "button", onclick: () => { const line = curl(); if (line) void copy(line); } }, icon("copy"), "Copy as curl"),
      h("button", { type: "button", class: "quiet", onclick: () => { drafts.delete(one.id); history.replaceState(null, "", address(one.id)); show(); } }, "As it was")),
    one.scope !== "read" && h("p", { class: "soft" }, `It needs the scope ${one.scope}, and is done for real.`));
  const properties = fieldsOf(one);
  byId("request").replaceChildren(h("h2", { tabIndex: -1 }, one.title), form, properties.length ? h("details", { open: true }, h("summary", {}, "What the body takes"), h("dl", { class: "fields" }, ...properties.flatMap((field) => [
    h("dt", {}, h("button", { type: "button", class: "link", title: `Put ${field.name} into the body`, onclick: () => put(field.name, field.schema) }, field.name), h("span", { class: "soft" }, [field.kind, field.required ? "required" : ""].filter(Boolean).join(", "))),
    h("dd", {}, field.description)]))) : "");
  form.addEventListener("input", () => { wrong.textContent = ""; body.removeAttribute("aria-invalid"); });
}

/** @param {string} name @param {any} schema */
function put(name, schema) {
  const body = byId("body");
  try {
    const now = body.value.trim() ? typedObject(body.value) : {};
    if (!(name in now)) body.value = JSON.stringify({ ...now, [name]: sample(schema, chosen?.document) }, null, 2);
    body.focus();
    const at = body.value.indexOf(JSON.stringify(name));
    body.setSelectionRange(at, at + name.length + 2);
  } catch (error) {
    wrongBody(error);
  }
}

/** @param {unknown} error */
function wrongBody(error) {
  byId("body-wrong").textContent = /** @type {Error} */ (error).message;
  byId("body").setAttribute("aria-invalid", "true");
  byId("body").focus();
  if (error instanceof WrongJson) byId("body").setSelectionRange(error.at, error.at + 1);
}

/** What stands in the form. */
function typed() {
  /** @type {Record<string, string>} */
  const values = {};
  for (const one of /** @type {NodeListOf<HTMLInputElement>} */ (byId("request").querySelectorAll("[data-parameter]"))) values[String(one.dataset.parameter)] = one.value;
  return { server: byId("server")?.value ?? usualServer(/** @type {Operation} */ (chosen)), values, body: String(byId("body")?.value ?? "") };
}
function keep() {
  if (chosen && byId("request").querySelector("form")) drafts.set(chosen.id, typed());
}

/** The request as it is sent. @param {ReturnType<typeof typed>} given */
function request(given) {
  const one = /** @type {Operation} */ (chosen);
  const headers = /** @type {Record<string, string>} */ ({});
  const query = new URLSearchParams();
  let path = one.path;
  for (const { name, in: where } of one.parameters) {
    const value = given.values[name] ?? "";
    if (where === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    else if (value === "") continue;
    else if (where === "query") query.set(name, value);
    else if (where === "header") headers[name] = value;
  }
  const file = byId("body-file")?.files?.[0];
  const body = file ?? (given.body.trim() && one.media.length ? given.body : undefined);
  if (body !== undefined) headers["Content-Type"] = file ? "application/octet-stream" : "application/json";
  return { url: given.server + path + (query.size ? `?${query}` : ""), headers, body, file };
}

function curl() {
  const { url, headers, body, file } = request(typed());
  const lines = [`curl -s -X ${chosen?.verb} ${quoted(new URL(url, location.origin).href)}`, "-H 'Authorization: Token YOUR_API_TOKEN'", ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`)];
  if (file) lines.push(`--data-binary ${quoted(`@${file.name}`)}`);
  else if (body !== undefined) lines.push(`-d ${quoted(String(body))}`);
  return lines.join(" \\\n  ");
}

async function send() {
  const one = /** @type {Operation} */ (chosen);
  const given = typed();
  const { url, headers, body, file } = request(given);
  if (typeof body === "string" && !file) {
    try {
      typedObject(body);
    } catch (error) {
      return wrongBody(error);
    }
  }
  sending.abort();
  sending = new AbortController();
  const { signal } = sending;
  const place = byId("answer");
  place.replaceChildren(h("h2", {}, "Answer"), h("div", { class: "skeleton block" }), h("button", { type: "button", onclick: () => sending.abort() }, "Stop waiting"));
  history.replaceState(null, "", address(one.id, given.body));
  const begun = performance.now();
  try {
    let answer = await fetch(url, { method: one.verb, headers, body, signal });
    if (answer.status === 401) {
      await signIn();
      answer = await fetch(url, { method: one.verb, headers, body, signal });
    }
    const blob = await answer.blob();
    const ms = performance.now() - begun;
    remember({ id: one.id, server: given.server, values: given.values, body: given.body, http: answer.status, ms, at: Date.now() });
    if (!signal.aborted) await drawAnswer(answer, blob, ms);
  } catch (error) {
    if (!signal.aborted) place.replaceChildren(h("h2", {}, "Answer"), errorBox(new Error("The server cannot be reached, or closed the connection."), () => void send()));
    else if (sending.signal === signal) place.replaceChildren(h("h2", {}, "Answer"), h("p", { class: "soft" }, "Nobody waits for it any more; what it does on the server may go on."));
  }
}

/** @param {Response} answer @param {Blob} blob @param {number} ms */
async function drawAnswer(answer, blob, ms) {
  const id = answer.headers.get("X-Request-ID") ?? "";
  const type = answer.headers.get("Content-Type") ?? "";
  URL.revokeObjectURL(shownPicture);
  /** @type {Node} */
  let content;
  if (type.startsWith("image/")) {
    shownPicture = URL.createObjectURL(blob);
    content = h("img", { src: shownPicture, alt: "The picture that was answered" });
  } else if (/json|text|xml/.test(type) && blob.size <= LONGEST_SHOWN) content = h("pre", { tabIndex: 0, "aria-label": "Body of the answer" }, pretty(await blob.text(), type));
  else {
    shownPicture = URL.createObjectURL(blob);
    content = blob.size ? h("a", { class: "button", href: shownPicture, download: "answer" }, `Save the answer (${blob.size.toLocaleString("en")} bytes)`) : h("p", { class: "soft" }, "It has no body.");
  }
  const took = answer.ok ? "good" : "bad";
  byId("answer").replaceChildren(h("h2", { tabIndex: -1 }, "Answer"),
    h("p", { class: "facts" }, h("strong", { class: took, id: "http" }, `${answer.status} ${answer.statusText}`), h("span", {}, `${Math.round(ms)} ms`), h("span", {}, type.split(";")[0]), id && h("span", {}, "Request ", h("code", { id: "request-id" }, id), " ", h("button", { type: "button", class: "link", onclick: () => copy(id) }, "copy")),
      answer.headers.get("Retry-After") && h("span", {}, `Retry-After: ${answer.headers.get("Retry-After")} s`)),
    content);
  drawHistory();
}

/** @param {string} text @param {string} type */
function pretty(text, type) {
  // Each number keeps its digits: what is shown is the text that came, only broken into lines.
  if (!/[/+]json/.test(type)) return text;
  let depth = 0;
  return text.replace(/"(?:[^"\\]|\\.)*"|[{}[\],:]|\s+|[^"{}[\],:\s]+/g, (/** @type {string} */ part, /** @type {number} */ at) => {
    const line = () => `\n${"  ".repeat(depth)}`;
    const next = /** @type {RegExpExecArray} */ (/^\s*(.?)/.exec(text.slice(at + part.length, at + part.length + 40)))[1];
    if (part === "{" || part === "[") { if (next === "}" || next === "]") return part; depth++; return part + line(); }
    if (part === "}" || part === "]") { const before = /([{[])\s*$/.test(text.slice(Math.max(0, at - 40), at)); if (before) return part; depth--; return line() + part; }
    return part === "," ? part + line() : part === ":" ? ": " : part.trim() && part;
  });
}

function drawHistory() {
  byId("answer").querySelector(".history")?.remove();
  const some = tried().filter((one) => operations.some((other) => other.id === one.id));
  if (!some.length) return;
  byId("answer").append(h("div", { class: "history" }, h("div", { class: "row" }, h("h3", {}, "Tried before"), h("button", { type: "button", class: "link", onclick: () => { forget(); drawHistory(); } }, "forget all")),
    h("ul", {}, ...some.map((one) => h("li", {}, h("button", { type: "button", onclick: () => { keep(); drafts.set(one.id, one); history.pushState(null, "", address(one.id)); show(); } },
      h("span", {}, one.id.split(":")[1], h("span", { class: "soft" }, ` ${one.values["collection-id"] ?? ""}`)), h("span", { class: "soft" }, `${one.http}, ${Math.round(one.ms)} ms, ${new Date(one.at).toLocaleTimeString()}`)))))));
}

byId("find").addEventListener("input", list);
addEventListener("popstate", () => { keep(); show(); });
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || document.querySelector("dialog[open]") || !byId("request").querySelector("form")) return;
  event.preventDefault();
  byId("request").querySelector("form").requestSubmit();
});
bind("/", "find a method", () => byId("find").focus());
bind("b", "the body of the request", () => byId("body")?.focus());
bind("c", "copy the request as curl", () => void copy(curl()));
void load();
