/** The screen Collections: made, changed, looked after by jobs, and dropped; a build that runs is followed. */

import { aboutLog } from "./advice.js";
import { call, collection, pageOf } from "./api.js";
import { dialogForm, labelled } from "./dialogs.js";
import { byId, h, icon, number } from "./dom.js";
import { bind } from "./keys.js";
import { bindRows } from "./rows.js";
import { errorBox, toast } from "./say.js";

const page = byId("collections");
const details = byId("details");
const findings = byId("findings");

/** @param {string} kind @param {Record<string, any>} body */
async function startJob(kind, body) {
  const job = await call(`/jobs/v1/${kind}`, { body });
  location.href = pageOf(job);
}

/** Disable a button while something is done; what goes wrong is told below. @param {HTMLButtonElement} button @param {() => Promise<any>} action */
async function doing(button, action) {
  button.disabled = true;
  byId("trouble").replaceChildren();
  try {
    await action();
  } catch (error) {
    byId("trouble").replaceChildren(errorBox(error));
  } finally {
    button.disabled = false;
  }
}

/** @param {HTMLFormElement} form */
function begin(form) {
  /** @type {Record<string, any>} */
  const body = Object.fromEntries(new FormData(form));
  if (form.dataset.anew) body.anew = true;
  return doing(/** @type {HTMLButtonElement} */ (form.querySelector("button")), () => startJob(String(form.dataset.kind), body));
}

/** @param {string} id @param {string} value */
const text = (id, value = "") => h("input", { id, name: id, value, autocomplete: "off", maxLength: 200 });
/** @param {string} id @param {string} value @param {number|string} step @param {number} [max] */
const figure = (id, value, step, max) => h("input", { id, name: id, type: "number", min: step === "any" ? 0 : 1, max, step, value });

/** @param {HTMLSelectElement} select @param {string} [but] */
async function fillModels(select, but) {
  const told = await call("/admin/v1/models", { collection: "" });
  for (const one of told.models) {
    if (one.name !== but) select.append(h("option", { value: one.name, disabled: !one.at_hand }, `${one.name}: ${one.dimensions} numbers${one.knows_text ? ", reads words" : ""}${one.at_hand ? "" : ` (${one.reason})`}`));
  }
}

function create() {
  const model = h("select", { id: "new-model", name: "model" }, h("option", { value: "" }, "The service's own"));
  let name = "";
  dialogForm("New collection", [
    labelled("Name", h("input", { id: "name", name: "name", required: true, maxLength: 128, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autocomplete: "off" }), "Letters, digits, dots, dashes and underscores."),
    labelled("Service", h("select", { id: "service", name: "service" }, ...String(page.dataset.services).split(" ").map((one) => h("option", {}, one))), "It decides the paths of the API, and the model where none is chosen. It stays for good."),
    labelled("Model", model),
    h("label", { class: "check" }, h("input", { type: "checkbox", name: "keep_images" }), "Keep each picture as it came, so that another model can read it later"),
    labelled("Product field", text("product_field"), "An attribute that pictures of one product share. May be left empty."),
    labelled("Capacity", figure("capacity", "", 1), "Records that it may hold. Empty: no limit."),
  ], {
    button: "Make the collection",
    send: async (form) => {
      const given = new FormData(form);
      name = String(given.get("name"));
      await call("/admin/v1/collections/create", { collection: "", body: {
        name, service: given.get("service"), model: given.get("model") || null, keep_images: given.has("keep_images"),
        product_field: given.get("product_field") || null, capacity: given.get("capacity") ? Number(given.get("capacity")) : null } });
      location.href = `?${new URLSearchParams({ c: name })}`;
    },
  });
  fillModels(model).catch((error) => model.after(errorBox(error)));
}

function settings() {
  const now = byId("settings").dataset;
  dialogForm(`Settings of ${collection}`, [
    labelled("Capacity", figure("capacity", now.capacity, 1), "Records that it may hold. Empty: no limit. Below the number of its records, none more come."),
    labelled("Product field", text("product_field", now.productField), "An attribute that pictures of one product share: searches answer one of each. Empty: none."),
    labelled("Recall", figure("recall_target", now.recallTarget, "any", 1), "Share of the true neighbours that searches aim at, above 0 and at most 1. Empty: as the server is set up."),
  ], {
    button: "Change",
    send: async (form) => {
      /** @type {Record<string, any>} */
      const body = { unset: [] };
      for (const [key, value] of new FormData(form)) {
        if (value === "") body.unset.push(key);
        else if (key === "product_field") body[key] = value;
        // what the server is set up for is shown, and stays that
        else if (key !== "recall_target" || value !== now.recallTarget) body[key] = Number(value);
      }
      await call("/admin/v1/collection/set", { body });
      location.reload();
    },
  });
}

function drop() {
  const name = h("input", { id: "confirm", name: "confirm", required: true, autocomplete: "off", spellcheck: false });
  const dialog = dialogForm(`Drop ${collection}?`, [
    h("p", {}, `It has ${number(Number(byId("drop").dataset.records))} records, which are gone with it. There is no way back.`),
    labelled("Its name, once more", name),
  ], {
    button: "Drop it", danger: true,
    send: async (form) => {
      await call("/admin/v1/collection/drop", { body: { confirm: new FormData(form).get("confirm") } });
      location.href = "?";
    },
  });
  const button = /** @type {HTMLButtonElement} */ (dialog.querySelector("button.main"));
  button.disabled = true;
  name.addEventListener("input", () => (button.disabled = name.value !== collection));
}

function addAlias() {
  dialogForm(`A name that leads to ${collection}`, [labelled("Alias", text("alias"), "One that leads to another collection is switched to this one at once.")], {
    button: "Set the alias",
    send: async (form) => {
      const told = await call("/admin/v1/aliases/set", { collection: "", body: { aliases: { [String(new FormData(form).get("alias"))]: collection } } });
      const out = told.switched[0].locked_out;
      if (out.length) sessionStorage.setItem("lookalike.said", `Tokens that may use ${told.switched[0].before} and not ${collection}: ${out.join(", ")}`);
      location.reload();
    },
  });
}

/** @param {HTMLButtonElement} button */
const removeAlias = (button) => doing(button, async () => {
  const alias = String(button.dataset.alias);
  await call("/admin/v1/aliases/delete", { collection: "", body: { alias } });
  const chip = /** @type {HTMLElement} */ (button.closest("li"));
  chip.hidden = true;
  toast(`${alias} leads nowhere now`, { undo: () => doing(button, async () => {
    await call("/admin/v1/aliases/set", { collection: "", body: { aliases: { [alias]: collection } } });
    chip.hidden = false;
  }) });
});

/** @param {number} seconds */
const span = (seconds) => (seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

function reembed() {
  const model = h("select", { id: "model", name: "model", required: true }, h("option", { value: "" }, "Choose one"));
  const said = h("div", { class: "stack", "aria-live": "polite" });
  const drops = h("input", { type: "checkbox", name: "drop_unreadable" });
  model.addEventListener("change", async () => {
    const chosen = model.value;
    said.replaceChildren(chosen ? h("p", { class: "soft" }, "A sample of 16 records is embedded…") : "");
    if (!chosen) return;
    try {
      const told = await call("/admin/v1/collection/estimate", { body: { model: chosen } });
      if (model.value !== chosen) return;
      said.replaceChildren(h("div", { class: "stack" },
        h("p", {}, told.records === 0 ? "It has no records: it changes at once." : told.seconds === null ? "No picture of the sample can be had: nothing can be embedded anew." : `${number(told.records)} records take about ${span(told.seconds)} while searches go on, and ${number(Math.ceil(told.vector_bytes / 2 ** 20))} MiB beside the old vectors until the switch.`),
        told.unreadable > 0 && h("p", { class: "wrong" }, icon("warning"), `${told.unreadable} of ${told.sampled} pictures cannot be had, as that of ${told.examples[0].id}: ${told.examples[0].reason}`)));
    } catch (error) {
      said.replaceChildren(errorBox(error));
    }
  });
  dialogForm(`Re-embed ${collection}`, [
    h("p", {}, `All vectors are made anew, now by ${byId("reembed").dataset.model}. Distances change with the model.`),
    labelled("Model", model), said,
    h("label", { class: "check" }, drops, "Delete records whose pictures cannot be had, rather than stop for them"),
  ], { button: "Re-embed", send: () => startJob("reembed", { model: model.value, drop_unreadable: drops.checked }) });
  fillModels(model).catch((error) => said.replaceChildren(errorBox(error)));
}

const advise = () => doing(byId("advise"), async () => {
  findings.replaceChildren(h("p", { class: "soft" }, "Looking through the log of searches…"));
  const told = await call("/admin/v1/collection/advise");
  findings.replaceChildren(h("div", { class: "stack" }, h("h3", {}, "Indexes that would help"),
    ...told.advice.map((/** @type {any} */ one) => h("div", { class: "row" },
      h("p", {}, one.kind === "field" ? "The field " : "Each frequent value of ", h("code", {}, one.field), `: ${number(one.searches)} searches, ${number(one.milliseconds)} ms each now, about ${number(one.expected_ms)} ms with it, ${number(Math.ceil(one.bytes / 2 ** 20))} MiB`),
      h("button", { type: "button", class: "small", onclick: (/** @type {any} */ event) => doing(event.currentTarget, () => startJob("field-index", { field: one.field, each_value: one.kind === "values" })) }, "Build it"))),
    h("p", { class: "soft" }, aboutLog(told, told.advice.length))));
});

const measure = () => doing(byId("measure"), async () => {
  findings.replaceChildren(h("p", { class: "soft" }, "Searching for the neighbours of 50 records…"));
  try {
    const told = await call("/admin/v1/collection/measure", { body: {} });
    findings.replaceChildren(h("h3", {}, "Recall, measured now"), h("dl", {},
      h("dt", {}, "Found"), h("dd", {}, `${(told.recall * 100).toFixed(2)} % of the true nearest 20 (95 % confidence: ${(told.low * 100).toFixed(1)} to ${(told.high * 100).toFixed(1)} %)`),
      h("dt", {}, "A search"), h("dd", {}, `${number(told.search_ms)} ms; comparing all records: ${number(told.exact_ms)} ms`),
      h("dt", {}, "Ways"), h("dd", {}, Object.entries(told.ways).map(([way, count]) => `${way}: ${count}`).join(", "))));
  } catch (error) {
    findings.replaceChildren();
    throw error;
  }
});

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-kind]"))) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin(form);
  });
}

/** Bind a button, and a key where it has one; what the token may not do is not there. @param {string} id @param {() => any} action @param {string} [key] @param {string} [does] */
function button(id, action, key, does) {
  byId(id)?.addEventListener("click", action);
  if (byId(id) && key && does) bind(key, does, action);
}

button("new-collection", create, "n", "make a new collection");
button("settings", settings, "e", "change the settings of the collection");
button("drop", drop, "Delete", "drop the collection");
button("new-alias", addAlias, "a", "add an alias");
button("reembed", reembed);
button("advise", advise);
button("measure", measure);
for (const one of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-alias]"))) one.addEventListener("click", () => removeAlias(one));
for (const one of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("[data-values-of]"))) {
  one.addEventListener("click", () => doing(one, async () => {
    await call("/admin/v1/collection/drop-values", { body: { field: one.dataset.valuesOf } });
    location.reload();
  }));
}
const said = sessionStorage.getItem("lookalike.said");
if (said) {
  sessionStorage.removeItem("lookalike.said");
  toast(said, { seconds: 12 });
}

bindRows("collection");
bind("Escape", "close the details", () => details && (location.href = "?"));
// Only the server knows how far a build is; nothing on the page is lost by asking it again while nobody types, and
// nothing stands there that was said with a way back.
if (details?.querySelector("#build")) {
  const again = () => {
    if (document.activeElement?.matches("input") || document.querySelector("dialog[open], .toast")) window.setTimeout(again, 3_000);
    else location.reload();
  };
  window.setTimeout(again, 3_000);
}
