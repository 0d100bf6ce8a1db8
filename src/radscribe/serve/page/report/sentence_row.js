/** One sentence of the draft: its words, what they state, the evidence, and what the reader decides. */

import { button, make } from "../app/dom.js";
import { colourOf } from "../logic/colours.js";
import { MARKS, percent, SAID } from "../logic/findings.js";
import { onSide, sideOf, SIDES } from "../logic/sides.js";
import { differenceOf } from "./difference.js";

const DECIDED = { open: "○ open", accepted: "✓ accepted", edited: "✎ edited", rejected: "✕ rejected" };

/**
 * @typedef {object} RowActions
 * @property {(index: number) => void} select
 * @property {(index: number, hovered: boolean) => void} hover
 * @property {(index: number, action: string) => void} decide
 * @property {(index: number, words: string) => void} rewrite
 */

export class SentenceRow {
  /**
   * @param {any} sentence of the draft
   * @param {number} index
   * @param {RowActions} actions
   */
  constructor(sentence, index, actions) {
    this._sentence = sentence;
    this._index = index;
    this._actions = actions;
    this._editing = false;
    this.element = this._made();
  }

  /** Show what was decided, and whether this is the current sentence. */
  update(reviewed, current, final) {
    this._reviewed = reviewed;
    this._final = final;
    this.element.dataset.action = reviewed.action;
    this.element.classList.toggle("current", current);
    if (current) this.element.setAttribute("aria-current", "true");
    else this.element.removeAttribute("aria-current");
    this._decided.textContent = DECIDED[reviewed.action];
    if (final) this._editing = false;
    if (reviewed.action !== "edited") this.restate(null);
    this._showWords();
    this._actionBar.hidden = final || this._editing;
    this._showSides();
    this._accept.disabled = reviewed.action === "accepted" || reviewed.action === "edited";
    this._reject.disabled = reviewed.action === "rejected";
    this._undo.hidden = reviewed.action === "open";
  }

  /** What new words state, without probabilities: those are of the drafted words. Null shows the draft's own. */
  restate(conditions) {
    this._statements.replaceChildren(statementList(conditions ? { conditions } : this._sentence));
  }

  focus(scroll = true) {
    this._group.focus({ preventScroll: true });
    if (scroll) this.element.scrollIntoView({ block: "nearest" });
  }

  /** Let the reader change the words; `words` that were lost are put back. */
  edit(words = this._reviewed.text) {
    if (this._final) return;
    this._editing = true;
    const field = make("textarea", { value: words, rows: 3, "aria-label": `Words of sentence ${this._index + 1}`, maxLength: 2000 });
    const save = () => this._closeEditor(() => this._actions.rewrite(this._index, field.value));
    const leave = () => this._closeEditor(() => {});
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey) {
        event.preventDefault();
        save();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        leave();
      }
    });
    const tools = make("div", { className: "row-tools" }, button("Save", save, { key: "Enter" }), button("Cancel", leave, { key: "Esc" }));
    this._words.replaceChildren(field, tools);
    this._actionBar.hidden = true;
    field.focus();
    field.setSelectionRange(words.length, words.length);
  }

  _closeEditor(act) {
    this._editing = false;
    act();
    this.update(this._reviewed, true, this._final);
    this.focus();
  }

  _made() {
    const { _sentence: sentence, _index: index, _actions: actions } = this;
    this._words = make("div", { className: "words", id: `words-${index}` });
    this._decided = make("span", { className: "decided" });
    this._statements = make("div", {}, statementList(sentence));
    this._sides = make("div", { className: "sides", role: "group", "aria-label": "Side" });
    this._accept = button("Accept", () => actions.decide(index, "accepted"), { key: "Enter" });
    this._reject = button("Reject", () => actions.decide(index, "rejected"), { key: "x" });
    this._undo = button("Undo", () => actions.decide(index, "open"), { key: "u" });
    this._actionBar = make(
      "div",
      { className: "row-tools" },
      this._accept,
      button("Edit", () => this.edit(), { key: "e" }),
      this._reject,
      this._undo,
      this._sides,
    );
    const numbered = make("span", { className: "number", "aria-hidden": "true" }, String(index + 1));
    this._group = make(
      "div",
      {
        className: "sentence-body",
        role: "group",
        tabIndex: 0,
        "aria-labelledby": `words-${index}`,
        on: { focus: () => actions.select(index) },
      },
      make("div", { className: "sentence-line" }, numbered, this._words, this._decided),
      this._statements,
    );
    const element = make(
      "li",
      {
        className: sentence.evidence ? "sentence mapped" : "sentence",
        on: {
          click: () => actions.select(index),
          mouseenter: () => actions.hover(index, true),
          mouseleave: () => actions.hover(index, false),
          focusin: () => actions.select(index),
        },
      },
      this._group,
      make("div", { className: "more" }, this._actionBar, evidenceNotes(sentence)),
    );
    if (sentence.evidence) element.style.setProperty("--colour", colourOf(index));
    return element;
  }

  _showWords() {
    if (this._editing) return;
    const { action, drafted, text } = this._reviewed;
    const shown = action === "edited" ? differenceOf(drafted, text) : [text];
    this._words.replaceChildren(make(action === "rejected" ? "s" : "p", {}, ...shown));
  }

  /** A button for each side that the sentence can be about. */
  _showSides() {
    const { action, text } = this._reviewed;
    const side = action === "rejected" ? null : sideOf(text);
    this._sides.hidden = !side;
    if (!side) return this._sides.replaceChildren();
    const focused = [...this._sides.children].indexOf(document.activeElement);
    const turned = SIDES.map((each) => [each, onSide(text, each)]);
    this._sides.replaceChildren(
      ...turned.map(([each, words]) =>
        button(each[0].toUpperCase() + each.slice(1), () => this._actions.rewrite(this._index, words), {
          "aria-pressed": String(each === side),
          disabled: words === null,
          title: words ?? "This sentence cannot be rewritten by rule: edit it.",
        }),
      ),
    );
    if (focused >= 0) this._sides.children[focused].focus();
  }

  /** The sentence about the next side that it can be about. */
  turn() {
    const side = this._reviewed.action === "rejected" ? null : sideOf(this._reviewed.text);
    if (!side) return null;
    const place = SIDES.indexOf(side);
    for (const each of [...SIDES.slice(place + 1), ...SIDES.slice(0, place)]) {
      const words = onSide(this._reviewed.text, each);
      if (words) {
        this._actions.rewrite(this._index, words);
        return each;
      }
    }
    return null;
  }
}

/** What a sentence states of each condition, with the probability that it is true. */
function statementList(sentence) {
  const stated = Object.entries(sentence.conditions).map(([condition, state]) => {
    const said = SAID[state] ?? state;
    const likely = sentence.probabilities?.[condition];
    return make(
      "li",
      {},
      make("span", { className: `mark mark-${said}`, "aria-hidden": "true" }, MARKS[said] ?? ""),
      ` ${condition} ${said}`,
      likely !== undefined && make("b", {}, ` ${percent(likely)}`),
    );
  });
  return stated.length ? make("ul", { className: "statements", "aria-label": "States" }, ...stated) : "";
}

function evidenceNotes(sentence) {
  const notes = make("div", { className: "evidence" });
  if (sentence.hedged) notes.append(make("p", {}, "Hedged: too doubtful to be stated without “possible”."));
  if (sentence.unmapped) notes.append(make("p", {}, `No map: ${sentence.unmapped}`));
  if (sentence.evidence) notes.append(make("p", {}, `On the film: ${KINDS[sentence.evidence.kind] ?? sentence.evidence.kind}.`));
  if (sentence.reference) {
    const { study_id: study, similarity, sentence: words } = sentence.reference;
    const near = `Nearest training sentence, similarity ${similarity.toFixed(2)} (${study})`;
    notes.append(words ? make("p", {}, `${near}: `, make("q", {}, words)) : make("p", {}, `${near}; its text is not attached.`));
  }
  for (const slot of (sentence.slots ?? []).slice(0, 1)) {
    const topic = slot.words?.length ? `: ${slot.words.slice(0, 4).join(" ")}` : "";
    notes.append(make("p", {}, `Memory slot ${slot.slot} (${slot.weight.toFixed(2)})${topic}`));
  }
  return notes;
}

const KINDS = {
  activation: "what each place adds to the probability",
  counterfactual: "how much less likely the sentence is without the place",
  attention: "where the sentence looked",
};
