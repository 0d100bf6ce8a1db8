/**
 * The side that a sentence speaks of, and the sentence about another side.
 *
 * @typedef {"left" | "right" | "both"} Side
 */

export const SIDES = ["right", "left", "both"];

// Parts of the heart and the vessels are called after a side but lie on none of the chest.
const NO_SIDE = /\b(?:left|right)\s+(?:ventric\w*|atri\w*|heart|cardiac|anterior descending|main\s?stem)\b/i;
const ONE = /\b(left|right)\b/gi;
const BOTH = /\b(?:bilateral(?:ly)?|both|bibasilar|bibasal|biapical)\b/i;
// What one side alone has.
const MIDDLE_LOBE = /\bright middle lobe\b/gi;
const LINGULA = /\b(the )?lingula\b/gi;
// Nouns that two sides have, with their plurals.
const PLURALS = [
  ["lung base", "lung bases"], ["hemithorax", "hemithoraces"], ["pneumothorax", "pneumothoraces"],
  ["apex", "apices"], ["hilum", "hila"], ["lobe", "lobes"], ["lung", "lungs"], ["base", "bases"], ["zone", "zones"],
  ["effusion", "effusions"], ["opacity", "opacities"], ["consolidation", "consolidations"], ["nodule", "nodules"],
  ["mass", "masses"], ["pleural plaque", "pleural plaques"], ["hemidiaphragm", "hemidiaphragms"], ["side", "sides"],
  ["costophrenic angle", "costophrenic angles"], ["chest tube", "chest tubes"], ["rib", "ribs"],
];

/**
 * The one side that a sentence speaks of; null where it speaks of none, or of each by itself.
 *
 * @param {string} text
 * @returns {?Side}
 */
export function sideOf(text) {
  if (NO_SIDE.test(text)) return null;
  const named = new Set((text.match(ONE) ?? []).map((word) => word.toLowerCase()));
  if (BOTH.test(text)) return named.size ? null : "both";
  if (!named.size && text.search(LINGULA) >= 0) return "left";
  return named.size === 1 ? [...named][0] : null;
}

/**
 * The sentence about `side`; null where it cannot be written by rule.
 *
 * @param {string} text
 * @param {Side} side
 * @returns {?string}
 */
export function onSide(text, side) {
  const from = sideOf(text);
  if (!from) return null;
  if (from === side) return text;
  if (from === "both") return toOne(text, side);
  return side === "both" ? toBoth(text, from) : swapped(text, from, side);
}

function swapped(text, from, side) {
  const lobes =
    side === "left" ? text.replace(MIDDLE_LOBE, "lingula") : text.replace(LINGULA, (_, the) => `${the ?? ""}right middle lobe`);
  return lobes.replace(new RegExp(`\\b${from}\\b`, "gi"), (word) => like(word, side));
}

function toBoth(text, from) {
  if (text.search(MIDDLE_LOBE) >= 0 || text.search(LINGULA) >= 0) return null;
  const mentions = text.match(new RegExp(`\\b${from}\\b`, "gi")).length;
  if (mentions > 1) return null; // each would have to be told apart
  const many = new RegExp(`\\bthe ${from}( [a-z -]*?)?\\b(${nouns(1)})\\b`, "i");
  if (many.test(text)) return text.replace(many, (word, middle, noun) => `${like(word, "bilateral")}${middle ?? ""} ${noun}`.replace(/ {2,}/g, " "));
  const located = new RegExp(`\\b(in|at|of|over|within|on|to) the ${from}( [a-z -]*?)?\\b(${nouns(0)})\\b`, "i");
  if (located.test(text)) {
    return text.replace(located, (_, where, middle, noun) => `${where} both${middle ?? ""} ${plural(noun)}`.replace(/ {2,}/g, " "));
  }
  if (new RegExp(`\\b(?:on|to) the ${from}(?=[.,;]|$| (?:is|and|with|side))`, "i").test(text)) {
    return text.replace(new RegExp(`\\bon the ${from}( side)?\\b`, "i"), "on both sides");
  }
  const subject = new RegExp(`^The ${from} ([a-z -]*?)\\b(${nouns(0)})\\b`, "i");
  if (subject.test(text)) return agreeing(text.replace(subject, (_, middle, noun) => `Both ${middle}${plural(noun)}`), "plural");
  const described = new RegExp(`\\b${from}(?:-sided)?( [a-z -]*?)?\\b(${nouns(0)})\\b`, "i");
  if (described.test(text)) {
    const many = text.replace(described, (word, middle, noun) => {
      return `${like(word, "bilateral")}${middle ?? ""} ${plural(noun)}`.replace(/ {2,}/g, " ");
    });
    return agreeing(many, "plural");
  }
  return text.replace(new RegExp(`\\b${from}(?:-sided)?\\b`, "i"), (word) => like(word, "bilateral"));
}

function toOne(text, side) {
  const prefixed = text.replace(/\bbi(basilar|basal|apical)\b/i, (word, where) => like(word, `${side} ${where}`));
  if (prefixed !== text) return prefixed;
  if (/\bbilaterally\b/i.test(text)) return text.replace(/\bbilaterally\b/i, `on the ${side}`);
  if (/\bboth sides\b/i.test(text)) return text.replace(/\bboth sides\b/i, `the ${side}`);
  const both = new RegExp(`\\bboth( [a-z -]*?)?\\b(${nouns(1)})\\b`, "i");
  if (both.test(text)) {
    const subject = /^both\b/i.test(text);
    const one = text.replace(both, (word, middle, noun) => {
      return `${like(word, "the")} ${side}${middle ?? ""} ${singular(noun)}`.replace(/ {2,}/g, " ");
    });
    return subject ? agreeing(one, "singular") : one;
  }
  const described = new RegExp(`\\bbilateral( [a-z -]*?)?\\b(${nouns(1)})\\b`, "i");
  if (described.test(text)) {
    const one = text.replace(described, (word, middle, noun) => {
      return `${like(word, side)}${middle ?? ""} ${singular(noun)}`.replace(/ {2,}/g, " ");
    });
    return agreeing(one, "singular");
  }
  return text.replace(/\bbilateral\b/i, (word) => like(word, side));
}

/** A sentence whose first noun became one or many: its article and its verb follow. */
function agreeing(text, number) {
  if (number === "plural") {
    const article = text.replace(/^(There (?:is|was)) an? /i, "$1 ").replace(/^an? ([a-z])/i, (_, letter) => letter.toUpperCase());
    return article
      .replace(/^There is\b/, "There are")
      .replace(/^There was\b/, "There were")
      .replace(/, which (is|has|was)\b/, (_, verb) => `, which ${{ is: "are", has: "have", was: "were" }[verb]}`)
      .replace(/^((?:(?!\b(?:is|are|has|was|which)\b).)*)\b(is|has|was)\b/i, (whole, before, verb) =>
        /^There\b/.test(whole) ? whole : before + { is: "are", has: "have", was: "were" }[verb.toLowerCase()],
      );
  }
  const verb = text
    .replace(/^There are\b/, "There is")
    .replace(/^There were\b/, "There was")
    .replace(/, which (are|have|were)\b/, (_, many) => `, which ${{ are: "is", have: "has", were: "was" }[many]}`)
    .replace(/^((?:(?!\b(?:is|are|have|were|which)\b).)*)\b(are|have|were)\b/i, (_, before, many) => {
      return before + { are: "is", have: "has", were: "was" }[many.toLowerCase()];
    });
  const there = /^There (is|was) (?!an? |the |no |mild|moderate |severe )?/i;
  if (/^There (?:is|was) (?:an?|the|no) /i.test(verb) || /^(?:an?|the|no) /i.test(verb)) return verb;
  if (there.test(verb)) return verb.replace(/^There (is|was) (\w)/i, (_, be, letter) => `There ${be} ${article(letter)} ${letter}`);
  return verb.replace(/^(\w)/, (letter) => `${article(letter) === "an" ? "An" : "A"} ${letter.toLowerCase()}`);
}

function article(letter) {
  return /[aeio]/i.test(letter) ? "an" : "a";
}

function nouns(number) {
  return PLURALS.map((pair) => pair[number]).join("|");
}

function plural(noun) {
  return PLURALS.find(([one]) => one === noun.toLowerCase())[1];
}

function singular(noun) {
  return PLURALS.find(([, many]) => many === noun.toLowerCase())[0];
}

/** `word` with a capital where `model` has one. */
function like(model, word) {
  return /^\p{Lu}/u.test(model) ? word[0].toUpperCase() + word.slice(1) : word;
}
