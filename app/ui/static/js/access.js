/** The screen Access: tokens are made, shown once, and revoked. */

import { call, root } from "./api.js";
import { dialogForm, labelled, radios } from "./dialogs.js";
import { byId, h, icon } from "./dom.js";
import { bind } from "./keys.js";
import { bindRows } from "./rows.js";
import { copy } from "./say.js";

const page = byId("access");
const details = byId("details");
const names = String(page.dataset.collections).split("\n").filter(Boolean);

/** @param {string} id @param {[string, string][]} first choices before the usual ones */
const expiry = (id, first) => h("select", { id, name: "expires" }, ...first.map(([value, text]) => h("option", { value }, text)), ...[["7d", "In 7 days"], ["30d", "In 30 days"], ["90d", "In 90 days"], ["365d", "In a year"]].map(([value, text]) => h("option", { value }, text)));

/** What each limit is called, by its name in the API. @type {Record<string, string>} */
const limits = JSON.parse(String(page.dataset.limits));

/** @param {Record<string, number>} now the limits that a token has */
const limitFields = (now) => h("details", { open: Object.keys(now).length > 0 }, h("summary", {}, "Limits"), h("div", { class: "stack" },
  h("p", { class: "soft" }, "Each server counts for itself. An empty field is no limit."),
  ...Object.entries(limits).map(([name, said]) => labelled(said, h("input", { id: name, name, type: "number", min: name.endsWith("second") ? "0.001" : name === "body_bytes" ? "1024" : "1", step: name.endsWith("second") ? "any" : "1", value: String(now[name] ?? ""), autocomplete: "off" })))));

/** The limits that a form holds: a number, or null where its field is empty. @param {FormData} given @returns {Record<string, number|null>} */
const limitsOf = (given) => Object.fromEntries(Object.keys(limits).map((name) => [name, given.get(name) ? Number(given.get(name)) : null]));

/** @param {{id: number, token: string}} made */
function show(made) {
  const secret = h("input", { id: "secret", class: "mono", value: made.token, readOnly: true, onfocus: () => secret.select() });
  const line = `curl ${location.origin}${root}/v2/ping -H "Authorization: Token ${made.token}"`;
  const dialog = h("dialog", { class: "card", "aria-label": "The new token", oncancel: (/** @type {Event} */ event) => event.preventDefault(),
    onclose: () => (location.href = `?${new URLSearchParams({ token: String(made.id) })}`) },
    h("form", { method: "dialog", class: "stack" }, h("h2", {}, "The new token"),
      h("p", {}, "It is shown this once, and kept nowhere: copy it now."),
      h("label", { htmlFor: "secret" }, `Token ${made.id}`),
      h("div", { class: "row nowrap" }, secret, h("button", { type: "button", onclick: () => copy(made.token) }, icon("copy"), "Copy")),
      h("pre", {}, line),
      h("div", { class: "row" }, h("button", { class: "main" }, "I have it"))));
  document.body.append(dialog);
  dialog.showModal();
  secret.focus();
}

function create() {
  const some = h("fieldset", { class: "stack choices", hidden: true }, h("legend", {}, "Which"),
    ...names.map((name) => h("label", { class: "check" }, h("input", { type: "checkbox", name: "collection", value: name }), name)));
  const which = radios("Collections", "which", [["all", "All, also those to come"], ["some", "Some"]]);
  which.addEventListener("change", () => (some.hidden = !which.querySelector("[value=some]").checked));
  /** @type {any} */
  let made = null;
  dialogForm("New token", [
    labelled("Note", h("input", { id: "label", name: "label", maxLength: 200, autocomplete: "off", placeholder: "Import of the night" }), "Who has it, and what for."),
    radios("It may", "scope", [["read", "Read: search, and see records and pictures"], ["write", "Write: also change records, import, decide about duplicates"], ["admin", "Administer: also look after collections, and after tokens where it is for all"]]),
    which, some,
    labelled("Expires", expiry("expires", [["", "Never"]])),
    limitFields({}),
  ], {
    button: "Make the token",
    send: async (form) => {
      const given = new FormData(form);
      const chosen = given.get("which") === "some" ? given.getAll("collection") : null;
      if (chosen?.length === 0) throw new Error("Choose one collection at least.");
      made = await call("/admin/v1/tokens/create", { collection: "", body: { scopes: [given.get("scope")], collections: chosen, label: given.get("label"), expires: given.get("expires") || null, ...limitsOf(given) } });
    },
    closed: () => made && show(made),
  });
}

function change() {
  const label = h("input", { id: "label", name: "label", maxLength: 200, autocomplete: "off", value: details.dataset.label });
  dialogForm(`Change ${details.dataset.title}`, [labelled("Note", label), labelled("Expires", expiry("expires", [["", "As it is"], ["never", "Never"]])), limitFields(JSON.parse(String(details.dataset.limits)))], {
    button: "Change it",
    send: async (form) => {
      const given = new FormData(form);
      const expires = given.get("expires");
      const wanted = limitsOf(given);
      const unset = [...(expires === "never" ? ["expires"] : []), ...Object.keys(wanted).filter((name) => wanted[name] === null)];
      await call("/admin/v1/tokens/change", { collection: "", body: { token: Number(details.dataset.token), label: given.get("label"), ...(expires && expires !== "never" ? { expires } : {}), ...wanted, unset } });
      location.reload();
    },
  });
}

function rotate() {
  /** @type {any} */
  let made = null;
  const grace = h("select", { id: "grace", name: "grace" }, ...[["1d", "A day longer"], ["1h", "An hour longer"], ["7d", "7 days longer"], ["0s", "No longer: it is revoked at once"]].map(([value, text]) => h("option", { value }, text)));
  dialogForm(`Rotate ${details.dataset.title}?`, [
    h("p", {}, "A new token with the same note, scope, collections and limits takes its place."),
    labelled("The old one works", grace, "Time to move its callers to the new one."),
    labelled("The new one expires", expiry("expires", [["", "After as long as the old one was made for"]])),
    details.dataset.own === "true" && h("p", { class: "wrong" }, icon("warning"), "You are signed in with it: sign in with the new one."),
  ], {
    button: "Rotate it",
    send: async (form) => {
      const given = new FormData(form);
      made = await call("/admin/v1/tokens/rotate", { collection: "", body: { token: Number(details.dataset.token), grace: given.get("grace"), expires: given.get("expires") || null } });
    },
    closed: () => made && show(made),
  });
}

function revoke() {
  const { token, title, own } = details.dataset;
  let done = false;
  dialogForm(`Revoke ${title}?`, [
    h("p", {}, `Servers refuse it within ${byId("revoke").dataset.seconds} seconds. There is no way back: whoever needs it gets a new one.`),
    own === "true" && h("p", { class: "wrong" }, icon("warning"), "You are signed in with it, and will be signed out."),
  ], {
    button: "Revoke it", danger: true,
    send: async () => {
      await call("/admin/v1/tokens/revoke", { collection: "", body: { token: Number(token) } });
      done = true;
    },
    closed: () => done && (location.href = `?${new URLSearchParams({ show: "ended", token: String(token) })}`),
  });
}

byId("new-token").addEventListener("click", create);
bind("n", "make a new token", create);
if (byId("revoke")) {
  byId("change").addEventListener("click", change);
  byId("rotate").addEventListener("click", rotate);
  bind("e", "change the token", change);
  bind("r", "rotate the token", rotate);
  byId("revoke").addEventListener("click", revoke);
  bind("Delete", "revoke the token", revoke);
}
bind("Escape", "close the details", () => details && (location.href = `?${new URLSearchParams({ show: page.dataset.show })}`));
bindRows("token");
