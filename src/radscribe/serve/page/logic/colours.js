/** Colours of evidence: told apart on grey by everyone (Okabe and Ito, "Color Universal Design"). */
export const COLOURS = ["#E69F00", "#56B4E9", "#F0E442", "#CC79A7", "#009E73", "#D55E00"];

/** The colour of a number from 0 on. */
export function colourOf(number) {
  return COLOURS[number % COLOURS.length];
}
