/** What else a draft says of itself: why there is none, what is withheld, warnings, its model and reference. */

import { make } from "../app/dom.js";

/** Why there is no draft; shown in its place. */
export function abstention(draft) {
  return make(
    "section",
    { className: "abstention" },
    make("h3", {}, "No draft"),
    make("p", {}, "The model abstains. Report this film without it."),
    list(draft.reasons),
  );
}

/** Says that the model that runs now did not write a draft. */
export function anotherModel({ model }) {
  return make("p", { className: "hint" }, `Another model wrote this draft, and drew its maps, than the one that runs now: ${named(model)}.`);
}

/** @returns {HTMLElement[]} */
export function notes(draft) {
  const withheld = (draft.withheld ?? []).map(({ text, reason }) => make("li", {}, make("q", {}, text), ` ${reason}`));
  return [
    draft.warnings?.length > 0 && section("Warnings", "warnings", list(draft.warnings)),
    withheld.length > 0 && section("Withheld by the model", "withheld", make("ul", {}, ...withheld)),
    section("Source", "source", ...source(draft)),
  ].filter(Boolean);
}

function source({ model, reference }) {
  const lines = [make("p", {}, `Model: ${named(model)}.`)];
  if (reference) {
    const near = reference.distance === null ? "" : `, distance ${reference.distance.toFixed(2)}`;
    lines.push(make("p", {}, `Written beside the training report ${reference.study_id}${near}`, reference.report ? ": " : "; its text is not attached.", reference.report && make("q", {}, reference.report)));
  }
  return lines;
}

function named({ name, fingerprint }) {
  return `${name}, fingerprint ${fingerprint.slice(0, 12)}`;
}

function section(title, name, ...children) {
  return make("section", { className: name }, make("h3", {}, title), ...children);
}

function list(items) {
  return make("ul", {}, ...items.map((item) => make("li", {}, item)));
}
