/** The report of one study: findings, sentences, contradictions, changes, exports. */

import { announce } from "../app/announcer.js";
import { button, make } from "../app/dom.js";
import { contradictions } from "../logic/contradictions.js";
import { chipsOf } from "../logic/findings.js";
import { openOnes, standing } from "../logic/review.js";
import { differenceOf } from "./difference.js";
import { copyText, exportMenu } from "./exports.js";
import { findingChips } from "./finding_chips.js";
import { abstention, anotherModel, notes } from "./notes.js";
import { SentenceRow } from "./sentence_row.js";
import { StatementReader } from "./statement_reader.js";

/**
 * @typedef {object} Surroundings
 * @property {import("../app/api.js").Api} api
 * @property {string[]} exports
 * @property {{fingerprint: string}} model that runs now
 * @property {(index: ?number) => void} showEvidence of a sentence, null for none
 * @property {() => void} next goes to the next study
 */

export class ReportPanel {
  /**
   * @param {HTMLElement} container
   * @param {import("../app/reading.js").Reading} reading
   * @param {Surroundings} surroundings
   */
  constructor(container, reading, surroundings) {
    this._container = container;
    this._reading = reading;
    this._around = surroundings;
    this._current = 0;
    this._hovered = null;
    this._warned = "";
    this._reader = new StatementReader(surroundings.api, reading.draft);
    this._rows = reading.draft.sentences.map((sentence, index) => new SentenceRow(sentence, index, this._rowActions()));
    this._show();
    reading.addEventListener("change", () => this._update());
    reading.addEventListener("saved", () => this._showHead());
  }

  /** The number of the current sentence. */
  get current() {
    return this._current;
  }

  /** Whether there are words that a reader may change. */
  get canEdit() {
    return this._rows.length > 0 && !this._reading.review.final;
  }

  /** Go `step` sentences on; the first and the last one stay where they are. */
  move(step) {
    if (!this._rows.length) return;
    const place = Math.min(Math.max(this._current + step, 0), this._rows.length - 1);
    this._select(place);
    this._rows[place].focus();
  }

  /** Begin with the first sentence, without moving the page away from the film. */
  begin() {
    if (!this._rows.length) return;
    this._select(0);
    this._rows[0].focus(false);
  }

  /** Go to a sentence. */
  goTo(index) {
    this._select(index);
    this._rows[index].focus();
  }

  /** Decide on the current sentence; accepting and rejecting goes on to the next one that is open. */
  decide(action) {
    if (this._closed() || !this._rows.length) return;
    const index = this._current;
    // New words are accepted as they are; the drafted ones would take their place.
    const stays = action === "accepted" && this._reading.review.sentences[index].action === "edited";
    if (!stays) this._reading.decide(index, action);
    announce(`Sentence ${index + 1} is ${stays ? "edited" : action}.`);
    if (action === "open") return;
    const open = openOnes(this._reading.review);
    if (open.length) this.goTo(open.find((each) => each > index) ?? open[0]);
  }

  /** Change the words of the current sentence, or put `words` back that were lost. */
  edit(words, index = this._current) {
    if (this._closed() || !this._rows.length) return;
    this._select(index);
    this._rows[index].edit(words);
  }

  /** Turn the current sentence to its next side. */
  turn() {
    if (this._closed() || !this._rows.length) return;
    const side = this._rows[this._current].turn();
    announce(side ? `Sentence ${this._current + 1} is now about ${side === "both" ? "both sides" : `the ${side}`}.` : "No side to change in this sentence.");
  }

  /** Accept all that is open and make the report final; contradictions must have been seen first. */
  async finish() {
    if (this._closed()) return;
    if (!standing(this._reading.review).length) {
      announce("There is no sentence to accept. Write one, or go to the next study.");
      return;
    }
    const found = await this._check();
    const warned = found.map(({ message }) => message).join();
    if (found.length && warned !== this._warned) {
      this._warned = warned;
      this._findings.classList.add("stopped");
      this._findings.focus();
      announce(`${found.length} to look at before the report is final. Press a again to finish it as it is.`);
      return;
    }
    if (await this._reading.finish()) announce("The report is final. n goes to the next study.");
  }

  /** Copy the text of the report as it stands. */
  copy() {
    return copyText(this.text);
  }

  /** The text of the report as it stands. */
  get text() {
    return this._reading.review.final ? this._reading.answer.final : standing(this._reading.review).join(" ");
  }

  _closed() {
    if (this._reading.review.final) announce("The report is final. Reopen it to change it.");
    return this._reading.review.final;
  }

  _rowActions() {
    return {
      select: (index) => this._select(index),
      hover: (index, on) => {
        this._hovered = on ? index : null;
        this._showEvidence();
      },
      decide: (index, action) => {
        this._select(index);
        this.decide(action);
      },
      rewrite: (index, words) => this._reading.rewrite(index, words),
    };
  }

  _select(index) {
    if (this._current !== index || !this._rows[index].element.classList.contains("current")) {
      this._current = index;
      this._updateRows();
    }
    this._showEvidence();
  }

  _showEvidence() {
    this._around.showEvidence(this._hovered ?? (this._rows.length ? this._current : null));
  }

  _show() {
    const { draft } = this._reading;
    this._head = make("header", { className: "report-head" });
    this._added = make("ol", { className: "added" });
    this._findings = make("section", { className: "contradictions", tabIndex: -1, "aria-label": "Contradictions" });
    this._changes = make("section", { className: "changes" });
    this._bar = make("div", { className: "finish-bar" });
    this._container.replaceChildren(
      this._head,
      make(
        "div",
        { className: "report-body" },
        draft.model.fingerprint !== this._around.model.fingerprint && anotherModel(draft),
        draft.abstain && abstention(draft),
        findingChips(draft, (index) => this.goTo(index)),
        make("ol", { className: "sentences", "aria-label": "Sentences" }, ...this._rows.map(({ element }) => element)),
        this._added,
        (this._form = this._additionForm()),
        this._findings,
        this._changes,
        ...notes(draft),
      ),
      this._bar,
    );
    this._update();
    this._showEvidence();
  }

  _update() {
    this._showHead();
    this._updateRows();
    this._showAdded();
    this._showChanges();
    this._check();
  }

  _updateRows() {
    const { sentences, final } = this._reading.review;
    this._rows.forEach((row, index) => row.update(sentences[index], index === this._current, final));
  }

  _showHead() {
    const { review, answer } = this._reading;
    const open = openOnes(review).length;
    const undecided = open ? `${open} open` : "all decided";
    const state = review.final ? "✓ final" : answer.abstain ? "no draft" : undecided;
    this._head.replaceChildren(
      make("h2", {}, "Report"),
      make("span", { className: review.final ? "badge badge-final" : "badge" }, state),
      make("span", { className: "hint" }, `${clock(answer.created)} · ${answer.id.slice(0, 6)} · read ${minutes(answer.edits.seconds)}`),
    );
    this._showBar();
  }

  _showBar() {
    const { final } = this._reading.review;
    const focused = this._bar.contains(document.activeElement);
    const opened = this._bar.querySelector("details")?.open;
    const first = final
      ? button("Reopen", () => this._reading.reopen())
      : button(this._reading.draft.abstain ? "Finish" : "Accept all and finish", () => this.finish(), { key: "a", className: "primary" });
    const menu = exportMenu(this._around.api, this._around.exports, this._reading.id, () => this.text);
    if (opened) menu.open = true;
    this._bar.replaceChildren(first, button("Next", this._around.next, { key: "n", "aria-label": "Next study" }), menu);
    if (focused) first.focus();
  }

  _showAdded() {
    const { added, final } = this._reading.review;
    this._form.hidden = final;
    this._added.hidden = !added.length;
    this._added.replaceChildren(
      ...added.map(({ text }, place) =>
        make("li", {}, make("span", { className: "mark" }, "＋ "), text, " ", !final && button("Remove", () => this._reading.removeAdded(place), { "aria-label": `Remove: ${text}` })),
      ),
    );
  }

  _additionForm() {
    const field = make("input", { type: "text", id: "addition", maxLength: 2000, placeholder: "Add a sentence", autocomplete: "off", "aria-label": "Add a sentence" });
    const submit = (event) => {
      event.preventDefault();
      const text = field.value.split(/\s+/).filter(Boolean).join(" ");
      if (text) this._reading.add(text);
      field.value = "";
    };
    return make("form", { className: "addition", on: { submit } }, field, make("button", { type: "submit" }, "Add"));
  }

  _showChanges() {
    const { draft, review } = this._reading;
    const text = standing(review).join(" ");
    const same = text === draft.sentences.map((sentence) => sentence.text).join(" ");
    this._changes.hidden = same;
    const drafted = draft.sentences.map((sentence) => sentence.text).join(" ");
    this._changes.replaceChildren(make("h3", {}, "Changes to the draft"), make("p", {}, ...(same ? [] : differenceOf(drafted, text))));
  }

  /** The contradictions of the text as it stands; they are shown too. */
  async _check() {
    const { review } = this._reading;
    const sentences = standing(review);
    let found;
    try {
      const statements = await this._reader.read(sentences);
      found = contradictions(chipsOf(this._reading.draft), statements);
      const rewritten = review === this._reading.review ? review.sentences.filter(({ action }) => action === "edited") : [];
      for (const { index, text } of rewritten) this._rows[index].restate(statements[sentences.indexOf(text)]);
    } catch (error) {
      found = [{ message: `The text was not compared with the findings. ${error.message}` }];
    }
    if (review === this._reading.review) this._showContradictions(found);
    return found;
  }

  _showContradictions(found) {
    this._findings.hidden = !found.length;
    if (!found.length) this._findings.classList.remove("stopped");
    const mark = () => make("span", { className: "mark", "aria-hidden": "true" }, "⚠ ");
    const items = found.map(({ message }) => make("li", {}, mark(), message));
    this._findings.replaceChildren(make("h3", {}, "Look again"), make("ul", {}, ...items));
  }
}

/** When a study came, in the reader's own time. */
function clock(created) {
  return new Date(created).toLocaleString([], { dateStyle: "short", timeStyle: "short" });
}

function minutes(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
