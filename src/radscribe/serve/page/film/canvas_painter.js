/** Paints a film on a plain canvas, with 8 bits: for browsers without WebGL2. */

import { brightness } from "../logic/levels.js";

export class CanvasPainter {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this._canvas = canvas;
    this._context = canvas.getContext("2d");
    this._picture = document.createElement("canvas");
    this._windowed = "";
  }

  /** How many bits of a film can be seen at most. */
  get bits() {
    return 8;
  }

  /** @param {import("../logic/png.js").Film} film */
  show(film) {
    this._film = film;
    this._windowed = "";
    this._picture.width = film.width;
    this._picture.height = film.height;
  }

  /** @param {import("./webgl_painter.js").Look} look */
  paint({ placement, black, white, inverted }) {
    if (!this._film) return;
    this._window({ black, white }, inverted);
    const density = this._canvas.width / this._canvas.clientWidth || 1;
    const context = this._context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.fillStyle = "#000";
    context.fillRect(0, 0, this._canvas.width, this._canvas.height);
    const scale = placement.scale * density;
    context.setTransform(scale, 0, 0, scale, placement.x * density, placement.y * density);
    context.imageSmoothingQuality = "high";
    context.drawImage(this._picture, 0, 0);
  }

  _window(window, inverted) {
    const name = `${window.black} ${window.white} ${inverted}`;
    if (name === this._windowed) return;
    this._windowed = name;
    const { width, height, bits, levels } = this._film;
    const shown = new Uint8ClampedArray(2 ** bits);
    for (let level = 0; level < shown.length; level += 1) shown[level] = 255 * brightness(level, window, inverted);
    const context = this._picture.getContext("2d");
    const pixels = context.createImageData(width, height);
    for (let place = 0; place < levels.length; place += 1) {
      pixels.data.fill(shown[levels[place]], 4 * place, 4 * place + 3);
      pixels.data[4 * place + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  }
}
