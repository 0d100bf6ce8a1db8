/** The film on the screen: zoom, pan, window, invert, and the evidence over it. */

import { fitted, keptInside, zoomed } from "../logic/geometry.js";
import { dragged } from "../logic/levels.js";
import { CanvasPainter } from "./canvas_painter.js";
import { Overlay } from "./overlay.js";
import { followPointers } from "./pointer.js";
import { WebglPainter } from "./webgl_painter.js";

const STEP = 1.25;

export class FilmView {
  /**
   * @param {HTMLElement} area holds a canvas and the overlay's svg
   * @param {(look: {share: number, black: number, white: number, inverted: boolean}) => void} report
   */
  constructor(area, report) {
    this._area = area;
    this._report = report;
    this._canvas = area.querySelector("canvas");
    this._overlay = new Overlay(area.querySelector("svg"));
    this._painter = painter(this._canvas);
    this._film = null;
    this._inverted = false;
    this._moved = false;
    followPointers(area, {
      zoom: (factor, point) => this.zoom(factor, point),
      pan: (across, down) => this.pan(across, down),
      window: (across, down) => this._setWindow(dragged(this._window, across, down)),
      reset: () => this.fit(),
    });
    new ResizeObserver(() => this._resized()).observe(area);
  }

  /** How many bits of a film can be seen at most. */
  get bits() {
    return this._painter.bits;
  }

  get film() {
    return this._film;
  }

  /**
   * Show a film fitted to the area.
   *
   * @param {import("../logic/png.js").Film} film
   * @param {import("../logic/levels.js").Window} window
   * @param {?import("../logic/geometry.js").ViewSettings} view what the model sees of it; null where it saw none of it
   */
  open(film, window, view) {
    this._film = film;
    this._first = window;
    this._window = window;
    this._inverted = false;
    this._painter.show(film);
    this._overlay.place(film, view);
    this.fit();
  }

  /** Show no film. */
  close() {
    this._film = null;
    this._overlay.place(null, null);
    this._canvas.hidden = true;
  }

  /** @param {?import("./overlay.js").Evidence} evidence */
  showEvidence(evidence) {
    this._overlay.show(evidence);
  }

  /** The whole film in the middle. */
  fit() {
    if (!this._film) return;
    this._canvas.hidden = false;
    this._moved = false;
    this._place(fitted(this._film, this._size()));
  }

  /** Larger or smaller about a point of the area, its middle where none is given. */
  zoom(factor, point = [this._area.clientWidth / 2, this._area.clientHeight / 2]) {
    if (!this._film) return;
    const least = fitted(this._film, this._size()).scale;
    const most = Math.max(8, 4 * least);
    this._moved = true;
    this._place(zoomed(this._placement, factor, point, { least, most }));
  }

  zoomIn() {
    this.zoom(STEP);
  }

  zoomOut() {
    this.zoom(1 / STEP);
  }

  /** Move the film by pixels of the area. */
  pan(across, down) {
    if (!this._film) return;
    this._moved = true;
    const { scale, x, y } = this._placement;
    this._place({ scale, x: x + across, y: y + down });
  }

  /** Change the window by shares: `brighter` moves its middle, `wider` holds more levels. */
  changeWindow(brighter, wider) {
    if (this._film) this._setWindow(dragged(this._window, wider, brighter));
  }

  resetWindow() {
    if (!this._film) return;
    this._inverted = false;
    this._setWindow(this._first);
  }

  invert() {
    this._inverted = !this._inverted;
    this._paint();
  }

  _setWindow(window) {
    this._window = window;
    this._paint();
  }

  _place(placement) {
    this._placement = keptInside(placement, this._film, this._size());
    this._area.classList.toggle("zoomed", this._moved);
    this._overlay.move(this._placement);
    this._paint();
  }

  _resized() {
    const density = window.devicePixelRatio || 1;
    this._canvas.width = Math.max(1, Math.round(this._area.clientWidth * density));
    this._canvas.height = Math.max(1, Math.round(this._area.clientHeight * density));
    if (!this._film) return;
    if (this._moved) this._place(this._placement);
    else this.fit();
  }

  _size() {
    return { width: this._area.clientWidth, height: this._area.clientHeight };
  }

  _paint() {
    if (!this._film) return;
    const { black, white } = this._window;
    this._painter.paint({ placement: this._placement, black, white, inverted: this._inverted });
    const share = this._placement.scale / fitted(this._film, this._size()).scale;
    this._report({ share, black, white, inverted: this._inverted });
  }
}

function painter(canvas) {
  try {
    return new WebglPainter(canvas);
  } catch {
    return new CanvasPainter(canvas);
  }
}
