/** The studies of the service, the newest first. */

import { make } from "./dom.js";

export class StudyList {
  /**
   * @param {import("./api.js").Api} api
   * @param {{list: HTMLElement, more: HTMLElement, none: HTMLElement}} elements
   * @param {(id: string) => void} open
   */
  constructor(api, elements, open) {
    this._api = api;
    this._elements = elements;
    this._open = open;
    this._studies = [];
    this._current = null;
    this._cursor = null;
    elements.more.addEventListener("click", () => this.loadMore());
  }

  /** Load the list anew. */
  async load() {
    const { drafts, next } = await this._api.json("/v1/drafts");
    this._studies = drafts;
    this._cursor = next;
    this._show();
  }

  /** Load the next older ones. */
  async loadMore() {
    if (!this._cursor) return;
    const { drafts, next } = await this._api.json(`/v1/drafts?cursor=${encodeURIComponent(this._cursor)}`);
    const known = new Set(this._studies.map(({ id }) => id));
    this._studies.push(...drafts.filter(({ id }) => !known.has(id)));
    this._cursor = next;
    this._show();
  }

  /** Mark the study that is open. */
  mark(id) {
    this._current = id;
    this._show();
  }

  /** Take over the state of a study from an answer. */
  note(id, status) {
    const study = this._studies.find((each) => each.id === id);
    if (study) study.status = status;
    this._show();
  }

  /** The next study after the open one that is not final; older ones are loaded for it. @returns {Promise<?string>} */
  async next() {
    for (;;) {
      const place = this._studies.findIndex(({ id }) => id === this._current);
      const waiting = ({ id, status }) => status !== "final" && id !== this._current;
      const found = this._studies.slice(place + 1).find(waiting);
      if (found) return found.id;
      if (!this._cursor) return this._studies.find(waiting)?.id ?? null;
      await this.loadMore();
    }
  }

  _show() {
    const { list, more, none } = this._elements;
    const focused = document.activeElement?.dataset?.study;
    none.hidden = this._studies.length > 0;
    more.hidden = !this._cursor;
    list.replaceChildren(...this._studies.map((study) => this._item(study)));
    if (focused) list.querySelector(`[data-study="${CSS.escape(focused)}"]`)?.focus();
  }

  _item({ id, created, status, abstain, present, films }) {
    const what = abstain ? "No draft: the model abstains" : present.length ? present.join(", ") : "No finding held present";
    const attributes = { "data-study": id, "aria-current": id === this._current ? "true" : null };
    return make(
      "li",
      {},
      make(
        "button",
        { type: "button", className: "study", on: { click: () => this._open(id) }, ...attributes },
        make(
          "span",
          { className: "study-head" },
          make("span", { className: "mark", "aria-hidden": "true" }, status === "final" ? "✓" : "○"),
          make("span", { className: "study-time" }, new Date(created).toLocaleString([], { dateStyle: "short", timeStyle: "short" })),
          make("span", { className: "study-state" }, status === "final" ? "final" : "draft"),
          make("span", {}, id.slice(0, 6)),
          films > 1 && make("span", {}, `${films} films`),
        ),
        make("span", { className: "study-findings" }, what),
      ),
    );
  }
}
