/** The screen Operations: read again every ten seconds, a backup taken, indexes that would help asked for and built. */

import { aboutLog } from "./advice.js";
import { ApiError, call, pageOf, root, signIn } from "./api.js";
import { dialogForm } from "./dialogs.js";
import { announce, byId, h, number } from "./dom.js";
import { bind } from "./keys.js";
import { errorBox } from "./say.js";

const EVERY = 10_000;
const HIDDEN = 60_000;
const names = String(byId("operations").dataset.collections).split("\n").filter(Boolean);
let timer = 0;

/** The page as it would be now. @returns {Promise<Document>} */
async function fresh() {
  for (;;) {
    /** @type {Response} */
    let answer;
    try {
      answer = await fetch(`${root}/console/operations`, { headers: { Accept: "text/html" } });
    } catch {
      throw new ApiError("The server cannot be reached. Is the network there?", {});
    }
    if (new URL(answer.url).pathname.endsWith("/console/sign-in")) {
      await signIn();
      continue;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok) return page;
    throw new ApiError(page.querySelector("main h1")?.textContent ?? `HTTP ${answer.status}`, {
      code: answer.status, http: answer.status, requestId: page.querySelector("main code")?.textContent ?? "", retryAfter: Number(answer.headers.get("Retry-After")) || 5 });
  }
}

/** Draw what has changed; a part in which somebody is, by keys, stays until they leave. @param {Document} page */
function draw(page) {
  const before = byId("warnings-title").textContent;
  for (const part of document.querySelectorAll("[data-part]")) {
    const next = page.getElementById(part.id);
    if (next && next.innerHTML !== part.innerHTML && !(part !== document.activeElement && part.contains(document.activeElement))) part.innerHTML = next.innerHTML;
  }
  const after = byId("warnings-title").textContent;
  if (after !== before) announce(after);
}

async function look() {
  window.clearTimeout(timer);
  try {
    draw(await fresh());
    byId("trouble").replaceChildren();
    timer = window.setTimeout(look, document.hidden ? HIDDEN : EVERY);
  } catch (error) {
    byId("trouble").replaceChildren(errorBox(error, look));
  }
}

function backup() {
  dialogForm("Take a backup?", [
    h("p", {}, "A job writes the whole database, as of one moment, into the backup folder of the server that does it. Searches and writes go on."),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "verify", checked: true }), "Restore it into a scratch database, and compare"),
  ], {
    button: "Take it",
    send: async (form) => {
      const job = await call("/jobs/v1/backup", { collection: "", body: { verify: new FormData(form).has("verify") } });
      location.href = pageOf(job);
    },
  });
}

/** @param {string} name @param {any} one */
function advice(name, one) {
  const trouble = h("div", {});
  const button = h("button", { type: "button", class: "small", onclick: async () => {
    button.disabled = true;
    try {
      location.href = pageOf(await call("/jobs/v1/field-index", { collection: name, body: { field: one.field, each_value: one.kind === "values" } }));
    } catch (error) {
      trouble.replaceChildren(errorBox(error));
      button.disabled = false;
    }
  } }, "Build it");
  const what = one.kind === "values" ? "an index for each frequent value of" : "an index of";
  return h("li", {}, h("span", {}, h("strong", {}, name), `: ${what} `, h("code", {}, one.field)),
    h("span", { class: "soft" }, `${number(one.searches)} searches: ${number(one.expected_ms)} ms in place of ${number(one.milliseconds)} ms`), button, trouble);
}

async function advise() {
  const button = byId("advise");
  const list = h("ul", { class: "advised" });
  byId("advised").replaceChildren(list);
  button.disabled = true;
  const all = { searches: 0, logged: false };
  let found = 0;
  for (const name of names) {
    try {
      const told = await call("/admin/v1/collection/advise", { collection: name, body: {} });
      found += told.advice.length;
      all.searches += told.searches;
      all.logged = told.logged;
      list.append(...told.advice.map((/** @type {any} */ one) => advice(name, one)));
    } catch (error) {
      list.append(h("li", {}, h("strong", {}, name), errorBox(error)));
    }
  }
  button.disabled = false;
  byId("advised").append(h("p", { class: "soft" }, aboutLog(all, found)));
  announce(`${number(found)} ${found === 1 ? "index" : "indexes"} would help`);
}

/** @param {number} by */
function step(by) {
  const parts = /** @type {HTMLElement[]} */ ([...document.querySelectorAll("#warnings, .panel")]);
  const at = parts.findIndex((part) => part.contains(document.activeElement));
  const next = parts[Math.min(parts.length - 1, Math.max(0, at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

byId("again").addEventListener("click", look);
byId("backup").addEventListener("click", backup);
byId("advise")?.addEventListener("click", advise);
bind("r", "read again", look);
bind("b", "take a backup", backup);
if (byId("advise")) bind("a", "ask which index would help", advise);
bind("j", "next panel", () => step(1));
bind("k", "panel before", () => step(-1));
timer = window.setTimeout(look, EVERY);
