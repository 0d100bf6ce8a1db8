/** The reading page: puts its parts together. */

import { FilmPanel } from "../film/film_panel.js";
import { ReadingClock } from "../logic/reading_clock.js";
import { exportNames } from "../report/exports.js";
import { ReportPanel } from "../report/report_panel.js";
import { alertReader, announce, clearAlert } from "./announcer.js";
import { Api } from "./api.js";
import { button, byId, make } from "./dom.js";
import { pageKeys } from "./key_table.js";
import { followKeys, showKeys } from "./keys.js";
import { Reading } from "./reading.js";
import { StudyList } from "./study_list.js";
import { followTheme } from "./theme.js";
import { askForToken } from "./token_dialog.js";
import { followFiles } from "./upload.js";

// Windows that have room for the list of studies beside film and report.
const WIDE = "(min-width: 1600px)";
const FILM_FIRST = "radscribe.film-first";

class Page {
  constructor() {
    this.api = new Api(askForToken);
    this.films = new FilmPanel(this.api);
    this.clock = new ReadingClock();
    this.report = null;
    this.reading = null;
    this._exports = [];
    this._model = null;
    this._hidden = false;
    this._wanted = null;
    this.studies = new StudyList(
      this.api,
      { list: byId("study-list"), more: byId("more-studies"), none: byId("no-studies") },
      (id) => this.open(id),
    );
  }

  /** Load what the service says of itself, and its studies. */
  async start() {
    try {
      [this._exports, this._model] = await Promise.all([exportNames(this.api), this.api.json("/v1/model")]);
      await this.studies.load();
      const id = location.hash.slice(1);
      if (id) await this.open(id);
    } catch (error) {
      alertReader(error.message, { label: "Try again", act: () => this.start() });
    }
  }

  /** Draft the films of a study and open it. */
  async take(files) {
    const state = byId("upload-state");
    const say = (text) => {
      state.hidden = !text;
      state.textContent = text;
      announce(text);
    };
    clearAlert();
    say(`Drafting ${files.length === 1 ? "one film" : `${files.length} films`} …`);
    try {
      const answer = await this.api.draft(files, (seconds) => say(`The service is busy; again in ${seconds} s …`));
      await this.studies.load();
      say("");
      await this._opened(answer);
    } catch (error) {
      say("");
      alertReader(error.message, error.status === 0 ? { label: "Try again", act: () => this.take(files) } : undefined);
    }
  }

  /** Open a study of the list. */
  async open(id) {
    this._wanted = id;
    try {
      const answer = await this.api.json(`/v1/drafts/${encodeURIComponent(id)}`);
      if (this._wanted === id) await this._opened(answer); // else the reader has gone on meanwhile
    } catch (error) {
      alertReader(error.message, { label: "Try again", act: () => this.open(id) });
    }
  }

  /** Open the next study that is not final. */
  async next() {
    try {
      const id = await this.studies.next();
      if (id) await this.open(id);
      else announce("No other study is open.");
    } catch (error) {
      alertReader(error.message, { label: "Try again", act: () => this.next() });
    }
  }

  /** Show the draft that film-first mode hid. */
  reveal() {
    if (!this._hidden || !this.films.view.film) return;
    this._hidden = false;
    this._showReport();
    this.report.begin();
    announce("The draft is shown.");
  }

  toggleFilmFirst() {
    const on = localStorage.getItem(FILM_FIRST) !== "on";
    localStorage.setItem(FILM_FIRST, on ? "on" : "off");
    this.showFilmFirst();
    announce(on ? "Film first: drafts stay hidden until you ask for them." : "Drafts are shown at once.");
    if (!on && this._hidden) this.reveal();
  }

  /** Show whether film-first mode is on; it hides the findings in the list too. */
  showFilmFirst() {
    const on = localStorage.getItem(FILM_FIRST) === "on";
    byId("film-first").setAttribute("aria-pressed", String(on));
    document.body.classList.toggle("film-first", on);
    return on;
  }

  async _opened(answer) {
    this._wanted = answer.id;
    this.reading?.leave();
    history.replaceState(null, "", `#${answer.id}`);
    const clock = new ReadingClock();
    clock.start();
    this.clock = clock;
    this.reading = this._followed(new Reading(this.api, answer, clock));
    this.studies.mark(answer.id);
    if (!matchMedia(WIDE).matches) showStudies(false);
    this._hidden = this.showFilmFirst() && answer.status !== "final";
    if (this._hidden) this._showCover();
    else this._showReport();
    try {
      await this.films.open(answer);
    } catch (error) {
      alertReader(`The film cannot be shown: ${error.message}`, { label: "Try again", act: () => this.open(answer.id) });
      return;
    }
    byId("show-draft")?.removeAttribute("disabled");
    if (!this._hidden) this.report.begin();
    announce(answer.abstain ? "No draft: the model abstains." : `Study opened: ${answer.draft.sentences.length} sentences.`);
    this._prepareNext();
  }

  /** Have the next study's film at hand when the reader goes on. */
  async _prepareNext() {
    try {
      const id = await this.studies.next();
      if (!id) return;
      const { films, draft } = await this.api.json(`/v1/drafts/${id}`);
      await this.films.load(films[draft.read_films?.[0] ?? 0]);
    } catch {
      // it will be loaded, or its fault shown, when it is opened
    }
  }

  _followed(reading) {
    reading.addEventListener("saved", () => this.studies.note(reading.id, reading.answer.status));
    reading.addEventListener("conflict", ({ detail }) =>
      this._lost(reading, "Somebody else changed this draft meanwhile. It is shown as it is now; your last change was not kept.", detail.words),
    );
    reading.addEventListener("failure", ({ detail }) => this._lost(reading, `Your last change was not kept: ${detail.error.message}`, detail.words));
    return reading;
  }

  /** Words that were not kept are shown, so that they can be used again. */
  _lost(reading, text, words) {
    if (reading !== this.reading) {
      alertReader(`Study ${reading.id.slice(0, 6)}: ${text}`, { label: "Open it", act: () => this.open(reading.id) });
      return;
    }
    alertReader(
      words ? `${text} Your words: “${words}”` : text,
      words && this.report?.canEdit ? { label: "Put them back", act: () => this.report.edit(words) } : undefined,
    );
  }

  _showReport() {
    this.report = new ReportPanel(byId("report"), this.reading, {
      api: this.api,
      exports: this._exports,
      model: this._model,
      showEvidence: (index) => this._showEvidence(index),
      next: () => this.next(),
    });
  }

  _showCover() {
    this.report = null;
    this._showEvidence(null);
    const show = button("Show the draft", () => this.reveal(), { key: "d", className: "primary", id: "show-draft", disabled: true });
    byId("report").replaceChildren(
      make("div", { className: "cover" }, make("h2", {}, "Look at the film first"), make("p", {}, "The draft is hidden until you ask for it."), show),
    );
  }

  _showEvidence(index) {
    const evidence = index === null ? null : this.reading.draft.sentences[index].evidence;
    this.films.showEvidence(evidence ? { number: index, values: evidence.values, box: evidence.box } : null);
  }
}

/** Show or hide the list of studies. */
function showStudies(open) {
  document.body.classList.toggle("studies-open", open);
  byId("studies-button").setAttribute("aria-expanded", String(open));
}

function begin() {
  const page = new Page();
  const keys = pageKeys(page, () => showKeys(keys));
  followKeys(keys);
  followTheme(byId("theme"));
  followFiles({ input: byId("files"), drop: byId("drop") }, (files) => page.take(files));
  byId("keys-button").addEventListener("click", () => showKeys(keys));
  byId("film-first").addEventListener("click", () => page.toggleFilmFirst());
  byId("studies-button").addEventListener("click", () => showStudies(!document.body.classList.contains("studies-open")));
  showStudies(true);
  for (const event of ["pointermove", "keydown", "wheel"]) addEventListener(event, () => page.clock.touch(), { passive: true });
  document.addEventListener("visibilitychange", () => (document.hidden ? page.clock.pause() : page.clock.resume()));
  addEventListener("pagehide", () => page.reading?.leave());
  const top = document.querySelector(".top");
  new ResizeObserver(() => document.documentElement.style.setProperty("--top", `${top.offsetHeight}px`)).observe(top);
  page.showFilmFirst();
  page.start();
}

begin();
