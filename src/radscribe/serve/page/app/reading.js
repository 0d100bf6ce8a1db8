/** One study under a reader's eyes: decisions are shown at once and sent one after another; final it is when kept. */

import { acceptedRest, changed, edited, openOnes, reviewOf, rewritten } from "../logic/review.js";

/**
 * Sends `change` after each change of the review, `conflict` where somebody else changed the draft meanwhile, and
 * `failure` where a change was not kept; both with the `error` and the `words` that were lost.
 */
export class Reading extends EventTarget {
  /**
   * @param {import("./api.js").Api} api
   * @param {any} answer of the service
   * @param {import("../logic/reading_clock.js").ReadingClock} clock
   */
  constructor(api, answer, clock) {
    super();
    this._api = api;
    this._clock = clock;
    this._sending = Promise.resolve();
    this._take(answer);
  }

  get id() {
    return this.answer.id;
  }

  get draft() {
    return this.answer.draft;
  }

  /** Accept, reject or open a sentence. */
  decide(index, action) {
    return this._change([edited(index, action)]);
  }

  /** Give a sentence new words. */
  rewrite(index, words) {
    return this._change([rewritten(index, this.review.sentences[index].drafted, words)]);
  }

  /** Write a sentence of one's own after all others. */
  add(text) {
    return this._setAdded([...this.review.added, { text, after: null }]);
  }

  /** Take away a sentence of one's own. */
  removeAdded(place) {
    return this._setAdded(this.review.added.filter((_, number) => number !== place));
  }

  /** Accept whatever is open, and make the report final. */
  finish() {
    const changes = acceptedRest(this.review);
    return this._send({ sentences: changes, status: "final" }, changed(this.review, changes), "");
  }

  /** Make a final report a draft again. */
  reopen() {
    return this._send({ status: "draft" }, this.review, "");
  }

  /** Whether every sentence was decided on. */
  get decided() {
    return openOnes(this.review).length === 0;
  }

  /** Keep the reading time that is not kept yet, when the reader goes on, be it to another page. */
  leave() {
    const seconds = this._clock.take();
    if (seconds >= 1 && !this.review.final) return this._send({ seconds }, this.review, "", { keepalive: true });
    return this._sending;
  }

  _change(changes) {
    const words = changes.map(({ text }) => text ?? "").join(" ");
    return this._send({ sentences: changes }, changed(this.review, changes), words);
  }

  _setAdded(added) {
    return this._send({ added }, { ...this.review, added }, added.map(({ text }) => text).join(" "));
  }

  _send(change, review, words, options = {}) {
    this.review = review;
    this._changed();
    this._sending = this._sending.then(() => this._kept(change, words, options));
    return this._sending;
  }

  async _kept(change, words, options) {
    const seconds = this._clock.take();
    const body = { ...change, seconds: seconds + (change.seconds ?? 0), version: this.answer.version };
    try {
      this._pending(await this._api.json(`/v1/drafts/${this.id}`, { method: "PATCH", body, ...options }));
      return true;
    } catch (error) {
      this._clock.put(seconds);
      await this._lost(error, words);
      return false;
    }
  }

  /** A change was kept; what was decided since then stays in sight until it is sent too. */
  _pending(answer) {
    const { version, edits, status, final } = answer;
    this.answer = { ...this.answer, version, edits, status, final };
    if (this.review.final !== (status === "final")) {
      this.review = { ...this.review, final: status === "final" };
      this._changed();
    }
    this.dispatchEvent(new CustomEvent("saved"));
  }

  async _lost(error, words) {
    if (error.status === 409) {
      try {
        this._take(await this._api.json(`/v1/drafts/${this.id}`));
      } catch {
        // what is in sight stays until the service answers again
      }
    } else this._take(this.answer);
    this._changed();
    this.dispatchEvent(new CustomEvent(error.status === 409 ? "conflict" : "failure", { detail: { error, words } }));
  }

  _take(answer) {
    this.answer = answer;
    this.review = reviewOf(answer);
  }

  _changed() {
    this.dispatchEvent(new CustomEvent("change"));
  }
}
