/** A link with a token after `#` signs in by itself. That part is never sent to a server, and is taken from the history. */

const token = decodeURIComponent(location.hash.slice(1));
if (token) {
  history.replaceState(null, "", location.pathname + location.search);
  const form = /** @type {HTMLFormElement} */ (document.getElementById("sign-in"));
  /** @type {HTMLInputElement} */ (form.elements.namedItem("token")).value = token;
  form.submit();
}
