/** Says what happened: quietly for readers of the screen's text, aloud where something went wrong. */

import { button, byId, make } from "./dom.js";

/** Text that does not wait for anybody. */
export function announce(text) {
  byId("status").textContent = text;
}

/**
 * What went wrong, in sight until it is closed or replaced by the next.
 *
 * @param {string} text
 * @param {{label: string, act: () => void}} [remedy]
 */
export function alertReader(text, remedy) {
  const close = () => byId("alerts").replaceChildren();
  const tried = () => {
    close();
    remedy.act();
  };
  byId("alerts").replaceChildren(
    make("p", { className: "alert" }, make("span", { className: "mark", "aria-hidden": "true" }, "!"), text),
    ...(remedy ? [button(remedy.label, tried)] : []),
    button("Close", close, { className: "quiet" }),
  );
}

/** Take the last alert away. */
export function clearAlert() {
  byId("alerts").replaceChildren();
}
