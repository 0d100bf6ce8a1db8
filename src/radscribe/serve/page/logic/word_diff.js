/**
 * The difference of two texts in words.
 *
 * @typedef {{kind: "same" | "removed" | "added", text: string}} Part
 */

/** The words of a text; punctuation after a word stands by itself, so that a changed word leaves it alone. */
function words(text) {
  return text.match(/[\p{L}\p{N}][\p{L}\p{N}'’-]*|[^\s\p{L}\p{N}]/gu) ?? [];
}

/**
 * The fewest removed and added words that make `after` of `before`, in their order.
 *
 * @param {string} before
 * @param {string} after
 * @returns {Part[]}
 */
export function wordDiff(before, after) {
  const old = words(before);
  const fresh = words(after);
  const common = commonLengths(old, fresh);
  const parts = [];
  let [row, column] = [0, 0];
  while (row < old.length || column < fresh.length) {
    if (row < old.length && column < fresh.length && old[row] === fresh[column]) {
      append(parts, "same", old[row]);
      row += 1;
      column += 1;
    } else if (row < old.length && (column === fresh.length || common[row + 1][column] >= common[row][column + 1])) {
      append(parts, "removed", old[row]);
      row += 1;
    } else {
      append(parts, "added", fresh[column]);
      column += 1;
    }
  }
  return parts;
}

/** How many words the texts from each place on have in common. */
function commonLengths(old, fresh) {
  const lengths = Array.from({ length: old.length + 1 }, () => new Array(fresh.length + 1).fill(0));
  for (let row = old.length - 1; row >= 0; row -= 1) {
    for (let column = fresh.length - 1; column >= 0; column -= 1) {
      lengths[row][column] =
        old[row] === fresh[column]
          ? lengths[row + 1][column + 1] + 1
          : Math.max(lengths[row + 1][column], lengths[row][column + 1]);
    }
  }
  return lengths;
}

function append(parts, kind, word) {
  const last = parts.at(-1);
  if (last?.kind === kind) last.text += spaced(last.text, word);
  else parts.push({ kind, text: word });
}

/** A word with the space before it that it needs after `text`. */
function spaced(text, word) {
  return /^[.,;:!?)\]%]/.test(word) || /[([]$/.test(text) ? word : ` ${word}`;
}

/** Whether a space stands between two parts that follow each other. */
export function gap(before, after) {
  return before !== "" && spaced(before, after).startsWith(" ");
}
