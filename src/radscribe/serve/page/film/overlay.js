/** Draws the evidence of a sentence over the film: contours of its map, its box, the sentence's number. */

import { contours, LEVELS } from "../logic/contours.js";
import { colourOf } from "../logic/colours.js";
import { boxOnFilm, pointOnFilm, viewOnFilm } from "../logic/geometry.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {{number: number, values: number[][], box: ?[number, number, number, number]}} Evidence
 *   `number` is that of the sentence, from 0
 */

export class Overlay {
  /** @param {SVGSVGElement} picture */
  constructor(picture) {
    this._picture = picture;
    this._film = null;
    this._view = null;
    this._evidence = null;
    this._placement = { scale: 1, x: 0, y: 0 };
  }

  /** The film that evidence lies on, and the model's view of it; null where it is not known. */
  place(film, view) {
    this._film = film;
    this._view = view;
    this._draw();
  }

  /** @param {?Evidence} evidence */
  show(evidence) {
    this._evidence = evidence;
    this._draw();
  }

  /** @param {import("../logic/geometry.js").Placement} placement */
  move(placement) {
    this._placement = placement;
    this._draw();
  }

  _draw() {
    this._picture.replaceChildren();
    if (!this._evidence || !this._film || !this._view) return;
    const { number, values, box } = this._evidence;
    const square = viewOnFilm(this._film, this._view);
    const colour = colourOf(number);
    LEVELS.forEach((level, place) => {
      const path = contours(values, level)
        .map((line) => rounded(line.map((point) => this._window(pointOnFilm(point, square)))))
        .join("");
      this._line("path", { d: path, class: `contour contour-${place}` }, colour);
    });
    const cut = box && boxOnFilm(box, square, this._film);
    if (cut) this._box(cut, number, colour);
  }

  _box({ left, top, width, height }, number, colour) {
    const [x, y] = this._window([left, top]);
    const size = { width: width * this._placement.scale, height: height * this._placement.scale };
    this._line("rect", { x, y, ...size, class: "box" }, colour);
    const label = added(this._picture, "g", { class: "box-label" });
    added(label, "rect", { x, y: y - 20, width: 22, height: 20, fill: colour });
    added(label, "text", { x: x + 11, y: y - 5, "text-anchor": "middle" }).textContent = String(number + 1);
  }

  /** A line in its colour over a wider black one, to be seen on white as on black. */
  _line(name, attributes, colour) {
    added(this._picture, name, { ...attributes, class: `${attributes.class} shade` });
    added(this._picture, name, { ...attributes, stroke: colour });
  }

  _window([across, down]) {
    const { scale, x, y } = this._placement;
    return [across * scale + x, down * scale + y];
  }
}

/** A closed line as a smooth path: it runs through the middles of its pieces. */
function rounded(line) {
  const middles = line.map(([x, y], place) => {
    const [nextX, nextY] = line[(place + 1) % line.length];
    return `${(x + nextX) / 2} ${(y + nextY) / 2}`;
  });
  const curves = line.map((point, place) => `Q${point.join(" ")} ${middles[place]}`);
  return `M${middles.at(-1)}${curves.join("")}Z`;
}

function added(parent, name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}
