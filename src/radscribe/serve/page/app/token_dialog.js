/** Asks for the service's token. */

import { byId, make } from "./dom.js";

/**
 * @param {boolean} refused the last one was
 * @returns {Promise<?string>} null where the reader gives none
 */
export function askForToken(refused) {
  const dialog = byId("token");
  const field = make("input", { type: "password", id: "token-field", autocomplete: "off", required: true });
  const form = make(
    "form",
    { method: "dialog" },
    make("h2", { id: "token-title" }, "Token"),
    make("p", {}, refused ? "That token was refused. Give another one." : "This service asks for a token."),
    make("label", { for: "token-field" }, "Token"),
    field,
    make("p", { className: "hint" }, "It is kept until this tab is closed."),
    make("button", { type: "submit", className: "primary" }, "Continue"),
  );
  dialog.replaceChildren(form);
  dialog.showModal();
  field.focus();
  return new Promise((resolve) => {
    form.addEventListener("submit", () => resolve(field.value.trim() || null));
    dialog.addEventListener("cancel", () => resolve(null), { once: true });
  });
}
