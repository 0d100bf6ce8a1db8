/**
 * What a draft holds of each condition, as chips.
 *
 * @typedef {"present" | "possible" | "likely" | "absent" | "not assessed"} Standing
 * @typedef {{condition: string, standing: Standing, presence: ?number, stated: boolean}} Chip
 *   presence: how likely the condition is present, null where that is not known
 */

// The states in plain words.
export const SAID = { positive: "present", negative: "absent", uncertain: "possible" };
// A finding is more than words where these marks stand before it.
export const MARKS = { present: "▲", possible: "◆", likely: "△", absent: "○", "not assessed": "–" };
const EVEN = 0.5;

/** Whether the draft's probabilities are calibrated: then its statements have some. */
export function isCalibrated(draft) {
  return draft.sentences.some((sentence) => Object.keys(sentence.probabilities ?? {}).length > 0);
}

/**
 * The chips of a draft, "no finding" left out: it is the absence of all others.
 *
 * Of a condition that no sentence states, a calibrated draft gives the probability that it is absent. Where that is low,
 * the model holds present what the draft does not say: "likely".
 *
 * @returns {Chip[]}
 */
export function chipsOf(draft) {
  const calibrated = isCalibrated(draft);
  return draft.findings
    .filter(({ condition }) => condition !== "no finding")
    .map((finding) => chip(finding, calibrated));
}

function chip({ condition, state, probability }, calibrated) {
  const stated = state in SAID;
  if (state === "positive" || state === "uncertain") {
    return { condition, standing: SAID[state], presence: probability, stated };
  }
  if (probability === null || state === "not assessed") {
    return { condition, standing: "not assessed", presence: null, stated };
  }
  if (!calibrated && state === "blank") return { condition, standing: "absent", presence: null, stated };
  const presence = Math.round((1 - probability) * 1e4) / 1e4;
  return { condition, standing: !stated && presence >= EVEN ? "likely" : "absent", presence, stated };
}

/** A probability as people read it: never quite sure. */
export function percent(probability) {
  if (probability > 0.99) return "> 99 %";
  if (probability < 0.01) return "< 1 %";
  return `${Math.round(probability * 100)} %`;
}
