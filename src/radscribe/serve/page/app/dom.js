/** Makes elements; whatever is shown is set as text, never read as markup. */

/**
 * @param {string} name
 * @param {Record<string, unknown>} [properties] `on` holds listeners, `aria-...`, `role`, `for` and `data-...` are
 *   attributes, all others are properties of the element
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElement}
 */
export function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null) continue;
    if (key === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (/^(aria-|data-|role$|for$)/.test(key)) element.setAttribute(key, String(value));
    else element[key] = value;
  }
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A button with its key, where it has one, printed on it. */
export function button(text, act, { key, ...properties } = {}) {
  const mark = key && make("kbd", { "aria-hidden": "true" }, key);
  return make("button", { type: "button", on: { click: act }, ...properties }, text, mark);
}

/** The element with this id. @returns {HTMLElement} */
export function byId(id) {
  return document.getElementById(id);
}
