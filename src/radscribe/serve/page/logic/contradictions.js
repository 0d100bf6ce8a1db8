/**
 * Where the text of a report and the findings of its draft contradict each other, and the text itself.
 *
 * @typedef {import("./findings.js").Chip} Chip
 * @typedef {"positive" | "negative" | "uncertain"} State
 * @typedef {{condition: string, kind: "denied" | "unlikely" | "silent" | "both ways", message: string}} Contradiction
 */

import { percent } from "./findings.js";

const HELD = new Set(["present", "possible", "likely"]);

/**
 * @param {Chip[]} chips
 * @param {Record<string, State>[]} statements what each sentence of the text states
 * @returns {Contradiction[]}
 */
export function contradictions(chips, statements) {
  const found = [];
  for (const chip of chips) {
    const states = new Set(statements.map((each) => each[chip.condition]).filter(Boolean));
    const contradiction = judged(chip, states);
    if (contradiction) found.push({ condition: chip.condition, ...contradiction });
  }
  return found;
}

function judged({ condition, standing, presence }, states) {
  const asserted = states.has("positive") || states.has("uncertain");
  const denied = states.has("negative");
  const likely = presence === null ? "" : ` (${percent(presence)})`;
  if (asserted && denied) {
    return { kind: "both ways", message: `One sentence states ${condition}, another one denies it.` };
  }
  if (denied && HELD.has(standing)) {
    return { kind: "denied", message: `The text denies ${condition}; the model holds it ${standing}${likely}.` };
  }
  if (asserted && standing === "absent" && presence !== null && presence < 0.5) {
    return { kind: "unlikely", message: `The text states ${condition}; the model holds it absent (${percent(presence)} present).` };
  }
  if (!states.size && HELD.has(standing)) {
    return { kind: "silent", message: `The text does not mention ${condition}; the model holds it ${standing}${likely}.` };
  }
  return null;
}
