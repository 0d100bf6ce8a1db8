/**
 * What a reader decided on a draft, and the text that it leaves.
 *
 * @typedef {"open" | "accepted" | "edited" | "rejected"} Action
 * @typedef {{index: number, drafted: string, action: Action, text: string}} ReviewedSentence
 * @typedef {{text: string, after: ?number}} AddedSentence
 * @typedef {{sentences: ReviewedSentence[], added: AddedSentence[], final: boolean}} Review
 */

/** The review that an answer of the service holds. @returns {Review} */
export function reviewOf(answer) {
  const decided = new Map(answer.edits.sentences.map((edit) => [edit.index, edit]));
  const sentences = answer.draft.sentences.map((sentence, index) => {
    const edit = decided.get(index);
    return { index, drafted: sentence.text, action: edit?.action ?? "open", text: edit?.text ?? sentence.text };
  });
  const added = answer.edits.added.map(({ text, after }) => ({ text, after: after ?? null }));
  return { sentences, added, final: answer.status === "final" };
}

/** A change of one sentence as the service takes it. */
export function edited(index, action, text) {
  return action === "edited" ? { index, action, text } : { index, action };
}

/**
 * What the new words of a sentence make of it: the drafted ones leave it open, none reject it.
 *
 * @returns {{index: number, action: Action, text?: string}}
 */
export function rewritten(index, drafted, words) {
  const text = words.split(/\s+/).filter(Boolean).join(" ");
  if (!text) return { index, action: "rejected" };
  return text === drafted ? { index, action: "open" } : { index, action: "edited", text };
}

/** The review after changes of sentences. @returns {Review} */
export function changed(review, changes) {
  const byIndex = new Map(changes.map((change) => [change.index, change]));
  const sentences = review.sentences.map((sentence) => {
    const change = byIndex.get(sentence.index);
    return change ? { ...sentence, action: change.action, text: change.text ?? sentence.drafted } : sentence;
  });
  return { ...review, sentences };
}

/** The changes that accept whatever is open. */
export function acceptedRest(review) {
  return review.sentences.filter(({ action }) => action === "open").map(({ index }) => edited(index, "accepted"));
}

/** The numbers of the sentences that nobody decided on. */
export function openOnes(review) {
  return review.sentences.filter(({ action }) => action === "open").map(({ index }) => index);
}

/** The sentences of the report as it stands, in order; open ones count as they are drafted. @returns {string[]} */
export function standing(review) {
  const added = (place) => review.added.filter(({ after }) => after === place).map(({ text }) => text);
  return [
    ...added(-1),
    ...review.sentences.flatMap(({ index, action, text }) => [...(action === "rejected" ? [] : [text]), ...added(index)]),
    ...added(null),
  ];
}
