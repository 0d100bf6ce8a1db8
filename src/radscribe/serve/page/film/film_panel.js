/** The films of one study: loading them, their tabs, and the tools above them. */

import { byId, make } from "../app/dom.js";
import { firstWindow } from "../logic/levels.js";
import { decodePng } from "../logic/png.js";
import { FilmView } from "./film_view.js";
import { filmOfPicture } from "./picture_film.js";

const KEPT = 4;
const BRIGHTNESS = 0.1;
const CONTRAST = 0.15;

export class FilmPanel {
  /** @param {import("../app/api.js").Api} api */
  constructor(api) {
    this._api = api;
    this._loaded = new Map();
    this._study = null;
    this._place = 0;
    this._evidence = null;
    this.view = new FilmView(byId("film-area"), (look) => this._showLook(look));
    const acts = {
      "zoom-in": () => this.view.zoomIn(),
      "zoom-out": () => this.view.zoomOut(),
      fit: () => this.view.fit(),
      invert: () => this.view.invert(),
      darker: () => this.view.changeWindow(-BRIGHTNESS, 0),
      brighter: () => this.view.changeWindow(BRIGHTNESS, 0),
      flatter: () => this.view.changeWindow(0, CONTRAST),
      steeper: () => this.view.changeWindow(0, -CONTRAST),
      "reset-window": () => this.view.resetWindow(),
    };
    for (const [id, act] of Object.entries(acts)) byId(id).addEventListener("click", act);
  }

  /**
   * Show the film of a study that the model read first.
   *
   * @param {any} answer of the service
   */
  async open(answer) {
    this._study = answer;
    this._evidence = null;
    this.view.showEvidence(null);
    await this.show(this._mapped());
  }

  /** Show no film. */
  close() {
    this._study = null;
    this.view.close();
    byId("film-tabs").replaceChildren();
  }

  /** Show the film of this number. */
  async show(place) {
    const study = this._study;
    this._place = place;
    this._showTabs();
    this.view.close();
    byId("film-hint").textContent = "Loading the film …";
    byId("film-hint").hidden = false;
    try {
      const { film, window } = await this.load(study.films[place]);
      if (this._study !== study || this._place !== place) return;
      byId("film-hint").hidden = true;
      this.view.open(film, window, place === this._mapped() ? study.draft.view : null);
      this.view.showEvidence(this._evidence);
    } catch (error) {
      if (this._study === study) byId("film-hint").textContent = `The film cannot be shown: ${error.message}`;
      throw error;
    }
  }

  /** @param {?import("./overlay.js").Evidence} evidence */
  showEvidence(evidence) {
    this._evidence = evidence;
    this.view.showEvidence(evidence);
  }

  /** A film and its first window; a film that was loaded lately is kept. */
  load({ url }) {
    const known = this._loaded.get(url) ?? this._fetched(url);
    this._loaded.delete(url);
    this._loaded.set(url, known);
    known.catch(() => this._loaded.delete(url));
    if (this._loaded.size > KEPT) this._loaded.delete(this._loaded.keys().next().value);
    return known;
  }

  async _fetched(url) {
    const answer = await this._api.fetch(url);
    const file = await answer.arrayBuffer();
    let film;
    try {
      film = await decodePng(file);
    } catch {
      film = await filmOfPicture(new Blob([file], { type: "image/png" }));
    }
    return { film, window: firstWindow(answer.headers.get("film-window"), film.bits) };
  }

  _mapped() {
    return this._study?.draft.read_films?.[0] ?? 0;
  }

  _showTabs() {
    const { films } = this._study;
    const tab = (_, place) =>
      make(
        "button",
        { type: "button", "aria-pressed": String(place === this._place), on: { click: () => this.show(place) } },
        `Film ${place + 1}`,
      );
    byId("film-tabs").replaceChildren(...(films.length > 1 ? films.map(tab) : []));
  }

  _showLook({ share, black, white, inverted }) {
    byId("invert").setAttribute("aria-pressed", String(inverted));
    const { film, bits } = this.view;
    const depth = Math.min(film.bits, bits);
    byId("look").textContent =
      `${Math.round(share * 100)} % · window ${Math.round(black)}–${Math.round(white)} · ${depth} bits`;
  }
}
