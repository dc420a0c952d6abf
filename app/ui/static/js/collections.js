/** The screen Collections: jobs that look after one are begun, and a build that runs is followed. */

import { call, collection, root } from "./api.js";
import { byId } from "./dom.js";
import { bind } from "./keys.js";
import { bindRows } from "./rows.js";
import { errorBox } from "./say.js";

const details = byId("details");

/** @param {HTMLFormElement} form */
async function begin(form) {
  /** @type {Record<string, any>} */
  const body = Object.fromEntries(new FormData(form));
  if (form.dataset.anew) body.anew = true;
  const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
  button.disabled = true;
  try {
    const job = await call(`/jobs/v1/${form.dataset.kind}`, { body });
    location.href = `${root}/console/jobs?${new URLSearchParams({ show: "all", job: job.id })}`;
  } catch (error) {
    button.disabled = false;
    byId("trouble").replaceChildren(errorBox(error));
  }
}

for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll("form[data-kind]"))) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    begin(form);
  });
}

bindRows("collection");
bind("Escape", "close the details", () => details && (location.href = "?"));
// Only the server knows how far a build is; nothing on the page is lost by asking it again while nobody types.
if (details?.querySelector("progress")) {
  window.setTimeout(() => document.activeElement?.matches("input") || location.reload(), collection ? 3_000 : 10_000);
}
