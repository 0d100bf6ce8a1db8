/** Keys of the page: what each does, and the dialog that lists them. */

import { button, byId, make } from "./dom.js";

const SINGLE = "radscribe.keys";

/**
 * @typedef {{keys: string[], shown: string, does: string, act: (event: KeyboardEvent) => void, film?: boolean}} Key
 *   `film` ones work while the film has the focus alone
 */

/** Whether a key belongs to the element that has the focus. */
function belongsTo(element, key) {
  if (element.closest("input, textarea, select, dialog")) return true;
  return (key === "Enter" || key === " ") && Boolean(element.closest("button, summary, a, label"));
}

/** Whether keys without Ctrl do something; a reader who speaks to the computer may switch them off. */
export function singleKeys() {
  return localStorage.getItem(SINGLE) !== "off";
}

/** @param {Key[]} keys */
export function followKeys(keys) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const element = /** @type {Element} */ (event.target instanceof Element ? event.target : document.body);
    if (belongsTo(element, event.key) || document.querySelector("dialog[open]")) return;
    const onFilm = Boolean(element.closest("#film-area"));
    const key = keys.find((each) => each.keys.includes(event.key) && (!each.film || onFilm));
    if (!key || (!singleKeys() && !onFilm && event.key !== "?")) return;
    event.preventDefault();
    if (!event.repeat || key.repeats || key.film) key.act(event);
  });
}

/** @param {Key[]} keys */
export function showKeys(keys) {
  const dialog = byId("keys");
  const rows = keys.map(({ shown, does }) =>
    make("tr", {}, make("th", { scope: "row" }, ...shown.split(" ").map((key) => make("kbd", {}, key))), make("td", {}, does)),
  );
  const box = make("input", { type: "checkbox", id: "single-keys", checked: singleKeys() });
  box.addEventListener("change", () => localStorage.setItem(SINGLE, box.checked ? "on" : "off"));
  const close = button("Close", () => dialog.close(), { key: "Esc", className: "primary" });
  dialog.replaceChildren(
    make("h2", { id: "keys-title" }, "Keys"),
    make("table", {}, make("tbody", {}, ...rows)),
    make("p", {}, box, make("label", { for: "single-keys" }, " These keys work everywhere (off: only on the film, and ?)")),
    make(
      "p",
      { className: "hint" },
      "Film: the wheel zooms, a drag moves it, a drag with the right button sets brightness and contrast, a double click fits it.",
    ),
    close,
  );
  dialog.showModal();
  close.focus();
}
