/** The findings of a draft as chips: what is held present first, the rest folded away. */

import { make } from "../app/dom.js";
import { chipsOf, MARKS, percent } from "../logic/findings.js";

const HELD = ["present", "possible", "likely"];

/**
 * @param {any} draft
 * @param {(index: number) => void} select goes to the sentence that states a finding
 */
export function findingChips(draft, select) {
  const chips = chipsOf(draft);
  const held = HELD.flatMap((standing) => chips.filter((chip) => chip.standing === standing));
  const absent = chips.filter(({ standing }) => standing === "absent");
  const unknown = chips.filter(({ standing }) => standing === "not assessed");
  const stating = (condition) => draft.sentences.findIndex((sentence) => condition in sentence.conditions);
  return make(
    "section",
    { className: "findings", "aria-label": "Findings" },
    held.length
      ? make("ul", { className: "chips" }, ...held.map((chip) => make("li", {}, heldChip(chip, stating(chip.condition), select))))
      : draft.findings.length > 0 && make("p", { className: "hint" }, "No finding is held present."),
    absent.length > 0 &&
      make(
        "details",
        {},
        make("summary", {}, `${MARKS.absent} ${absent.length} held absent`),
        make("ul", { className: "chips" }, ...absent.map((chip) => make("li", {}, make("span", { className: "chip" }, chip.condition, likelihood(chip))))),
      ),
    unknown.length > 0 &&
      make("p", { className: "hint" }, make("b", {}, "Not assessed: "), unknown.map(({ condition }) => condition).join(", "), "."),
  );
}

function heldChip(chip, sentence, select) {
  const label = [
    make("span", { className: `mark mark-${chip.standing}`, "aria-hidden": "true" }, MARKS[chip.standing]),
    ` ${chip.condition} ${chip.standing === "likely" ? "likely, but not stated" : chip.standing}`,
    likelihood(chip),
  ];
  if (sentence < 0) return make("span", { className: `chip chip-${chip.standing}` }, ...label);
  const go = { type: "button", className: `chip chip-${chip.standing}`, on: { click: () => select(sentence) } };
  return make("button", { ...go, title: `Go to sentence ${sentence + 1}` }, ...label);
}

function likelihood({ presence }) {
  return presence === null ? null : make("b", { title: "Probability that it is present" }, ` ${percent(presence)}`);
}
