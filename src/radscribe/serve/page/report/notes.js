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
  const named = model?.name ? `${model.name}, fingerprint ${model.fingerprint.slice(0, 12)}` : "not named";
  const lines = [make("p", {}, `Model: ${named}.`)];
  if (reference) {
    const near = reference.distance === null ? "" : `, distance ${reference.distance.toFixed(2)}`;
    lines.push(make("p", {}, `Written beside the training report ${reference.study_id}${near}`, reference.report ? ": " : "; its text is not attached.", reference.report && make("q", {}, reference.report)));
  }
  return lines;
}

function section(title, name, ...children) {
  return make("section", { className: name }, make("h3", {}, title), ...children);
}

function list(items) {
  return make("ul", {}, ...items.map((item) => make("li", {}, item)));
}
