/** The difference of two texts as elements: removed words struck out, added ones underlined. */

import { make } from "../app/dom.js";
import { gap, wordDiff } from "../logic/word_diff.js";

const NAMES = { removed: "del", added: "ins", same: "span" };

/** @returns {(Node | string)[]} */
export function differenceOf(before, after) {
  const shown = [];
  let last = "";
  for (const { kind, text } of wordDiff(before, after)) {
    if (gap(last, text)) shown.push(" ");
    shown.push(make(NAMES[kind], {}, kind === "same" ? null : make("span", { className: "out-of-sight" }, `${kind}: `), text));
    last = text;
  }
  return shown;
}
