/** Dialogs with a form: what goes wrong is told inside, and nothing that was typed is lost. */

import { ApiError } from "./api.js";
import { h, icon } from "./dom.js";
import { errorBox } from "./say.js";

/**
 * Open a dialog with a form. `send` is called when it is sent: the dialog closes once that is done, and stays where it fails.
 * @param {string} title
 * @param {(Node|string|false|null)[]} fields
 * @param {{button: string, send: (form: HTMLFormElement) => Promise<any>, danger?: boolean, closed?: () => void, wide?: boolean}} given
 * @returns {HTMLDialogElement}
 */
export function dialogForm(title, fields, { button, send, danger = false, closed, wide = false }) {
  const does = h("button", { type: "submit", class: danger ? "main bad" : "main" }, button);
  const trouble = h("div");
  const form = h("form", { class: "stack" }, h("h2", {}, title), ...fields, trouble,
    h("div", { class: "row" }, does, h("button", { type: "button", onclick: () => dialog.close() }, "Cancel")));
  const dialog = h("dialog", { class: wide ? "card broad" : "card", "aria-label": title, onclose: () => { dialog.remove(); closed?.(); } }, form);
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    does.disabled = true;
    trouble.replaceChildren();
    try {
      await send(form);
      dialog.close();
    } catch (error) {
      // null: what is wrong is told already, at its place
      if (error) trouble.replaceChildren(error instanceof ApiError ? errorBox(error) : h("p", { class: "wrong", role: "alert" }, icon("warning"), String(/** @type {any} */ (error)?.message ?? error)));
    } finally {
      does.disabled = false;
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * A field with its label above it, and a sentence below.
 * @param {string} label
 * @param {any} control an input, select or textarea with an id
 * @param {string} [hint]
 */
export function labelled(label, control, hint) {
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  return h("div", { class: "field" }, h("label", { htmlFor: control.id }, label), control, hint && h("p", { class: "soft", id: `${control.id}-hint` }, hint));
}

/**
 * A group of radio buttons.
 * @param {string} legend
 * @param {string} name
 * @param {[string, string][]} choices value and text; the first is chosen
 */
export const radios = (legend, name, choices) => h("fieldset", { class: "stack" }, h("legend", {}, legend),
  ...choices.map(([value, text], at) => h("label", { class: "check" }, h("input", { type: "radio", name, value, checked: at === 0 }), text)));
