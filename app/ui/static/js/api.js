/** Calls of the public REST API, with the session's cookie. */

import { h } from "./dom.js";
import { parseExactly } from "./exactly.js";

const facts = document.body.dataset;
export const root = facts.root ?? "";
export const collection = facts.collection ?? "";
export const may = new Set((facts.scopes ?? "").split(" "));

/** An answer that is none: the API's code and sentence. */
export class ApiError extends Error {
  /**
   * @param {string} sentence
   * @param {{code?: number, http?: number, requestId?: string, retryAfter?: number}} facts
   */
  constructor(sentence, { code = 0, http = 0, requestId = "", retryAfter = 0 }) {
    super(sentence);
    this.code = code;
    this.http = http;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/**
 * Call the API and return its answer. A session that has ended is renewed in a dialog, and the call made again.
 * @param {string} path below the root, such as `/v2/find`
 * @param {{body?: any, verb?: string, signal?: AbortSignal, collection?: string, headers?: Record<string, string>, exactly?: boolean}} [given]
 *   a `body` that is a file is sent as it is, any other as JSON; `exactly` keeps all digits of the answer's whole numbers
 * @returns {Promise<any>}
 */
export async function call(path, { body, verb = "POST", signal, collection: name = collection, headers = {}, exactly = false } = {}) {
  const file = body instanceof Blob;
  /** @type {Record<string, string>} */
  const type = body === undefined ? {} : { "Content-Type": file ? "application/octet-stream" : "application/json" };
  for (;;) {
    const sent = { ...headers, ...(name ? { "collection-id": name } : {}), ...type };
    let answer;
    try {
      answer = await fetch(root + path, { method: verb, headers: sent, body: file || body === undefined ? body : JSON.stringify(body), signal });
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError("The server cannot be reached. Is the network there?", {});
    }
    const told = await (exactly ? answer.text().then(parseExactly) : answer.json()).catch(() => ({}));
    if (answer.ok) return told;
    if (answer.status === 401) {
      await signIn();
      continue;
    }
    throw new ApiError(told.status?.error_description ?? skipped(told) ?? told.status?.text ?? `HTTP ${answer.status}`, {
      code: told.status?.code ?? answer.status,
      http: answer.status,
      requestId: told.status?.request_id ?? answer.headers.get("X-Request-ID") ?? "",
      retryAfter: Number(answer.headers.get("Retry-After")) || 0,
    });
  }
}

/**
 * Why the first record that was left out was: where none was taken, the answer as a whole does not say.
 * @param {any} told
 * @returns {string | undefined}
 */
export function skipped(told) {
  const one = told.skipped_records?.[0];
  return one && `${one._id}: ${one._reason.status.error_description ?? one._reason.status.text}`;
}

/**
 * Call a method of the search API.
 * @param {string} name
 * @param {any} body
 * @param {AbortSignal} [signal]
 */
export const method = (name, body, signal) => call(`/v2/${name}`, { body, signal });

/** @type {Promise<void> | null} */
let asking = null;

/** Ask for a token in a dialog, so that nothing on the page is lost; resolves once somebody is signed in. */
export function signIn() {
  asking ??= new Promise((resolve) => {
    const token = h("input", { type: "password", name: "token", id: "again-token", required: true, autocomplete: "current-password" });
    const wrong = h("p", { class: "wrong", role: "alert" });
    const form = h("form", { class: "stack" }, h("h2", {}, "Sign in again"), h("p", {}, "Your token is no longer good. What is on this page stays as it is."),
      h("label", { htmlFor: "again-token" }, "API token"), token, wrong, h("button", { class: "main" }, "Sign in"));
    const dialog = h("dialog", { class: "card", "aria-label": "Sign in again", oncancel: (/** @type {Event} */ event) => event.preventDefault() }, form);
    form.addEventListener("submit", async (/** @type {Event} */ event) => {
      event.preventDefault();
      const answer = await fetch(`${root}/console/sign-in`, { method: "POST", body: new URLSearchParams({ token: token.value }), redirect: "manual" });
      if (answer.status === 401 || answer.status === 403) {
        wrong.textContent = "This token is not known, was revoked or has expired.";
        return;
      }
      dialog.remove();
      asking = null;
      resolve();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
  return asking;
}

/** @type {Map<string, string>} */
const versions = new Map();

/**
 * Learn the content hashes of thumbnails, so that their URLs can be kept for good.
 * @param {string[]} ids
 * @param {AbortSignal} [signal]
 */
export async function learnThumbnails(ids, signal) {
  const asked = [...new Set(ids)].filter((id) => !versions.has(`${collection}/${id}`));
  if (asked.length === 0) return;
  const told = await call("/pictures/v1/versions", { body: { records: asked }, signal });
  for (const id of asked) versions.set(`${collection}/${id}`, told.thumbnails[id] ?? "");
}

/**
 * The URL of a record's thumbnail; empty where it is known to have none.
 * @param {string} id
 */
export function thumbnail(id) {
  const version = versions.get(`${collection}/${id}`);
  if (version === "") return "";
  return `${root}/pictures/v1/${encodeURIComponent(collection)}/thumbnail?${new URLSearchParams({ id, ...(version ? { v: version } : {}) })}`;
}

/** The URL of the picture as it was stored. @param {string} id */
export const original = (id) => `${root}/pictures/v1/${encodeURIComponent(collection)}/original?${new URLSearchParams({ id })}`;

/** The page that follows a job. @param {{id: number}} job */
export const pageOf = (job) => `${root}/console/jobs?${new URLSearchParams({ show: "all", job: String(job.id) })}`;
