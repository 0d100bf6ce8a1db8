/**
 * Places in the model's view of a film as places on the film, and the film as it lies in the window.
 *
 * @typedef {{width: number, height: number}} Size
 * @typedef {{resize: number, crop: number}} ViewSettings sides in pixels: what a film is fitted into, what is cut of it
 * @typedef {{left: number, top: number, width: number, height: number}} Rectangle
 * @typedef {{scale: number, x: number, y: number}} Placement film pixels to window pixels: p * scale + (x, y)
 */

/** As Python rounds: a half goes to the even neighbour. */
function roundHalfEven(number) {
  const below = Math.floor(number);
  if (number - below !== 0.5) return Math.round(number);
  return below % 2 === 0 ? below : below + 1;
}

/**
 * What the model's view covers of a film, in the film's pixels; where the view is padded it lies beyond the film.
 *
 * The whole film is scaled so that its longer side is `resize`, centred in a square, and the middle `crop` pixels of
 * the square are the view.
 *
 * @param {Size} film
 * @param {ViewSettings} view
 * @returns {Rectangle}
 */
export function viewOnFilm(film, view) {
  const scale = view.resize / Math.max(film.width, film.height);
  const first = Math.floor((view.resize - view.crop) / 2);
  const span = (side) => {
    const fitted = Math.max(1, roundHalfEven(side * scale));
    const begin = first - Math.floor((view.resize - fitted) / 2);
    return [(begin / fitted) * side, (view.crop / fitted) * side];
  };
  const [left, width] = span(film.width);
  const [top, height] = span(film.height);
  return { left, top, width, height };
}

/**
 * A point in shares of the view, in the film's pixels.
 *
 * @param {[number, number]} point
 * @param {Rectangle} square what the view covers of the film
 * @returns {[number, number]}
 */
export function pointOnFilm([across, down], square) {
  return [square.left + across * square.width, square.top + down * square.height];
}

/**
 * A box in shares of the view, in the film's pixels and cut at its edge; null where it lies beside the film.
 *
 * @param {[number, number, number, number]} box left, top, right, bottom
 * @param {Rectangle} square what the view covers of the film
 * @param {Size} film
 * @returns {?Rectangle}
 */
export function boxOnFilm(box, square, film) {
  const [left, top] = pointOnFilm([box[0], box[1]], square);
  const [right, bottom] = pointOnFilm([box[2], box[3]], square);
  const within = (place, most) => Math.min(Math.max(place, 0), most);
  const cut = {
    left: within(left, film.width),
    top: within(top, film.height),
    width: within(right, film.width) - within(left, film.width),
    height: within(bottom, film.height) - within(top, film.height),
  };
  return cut.width > 0 && cut.height > 0 ? cut : null;
}

/**
 * The largest placement that shows the whole film in the middle of the window.
 *
 * @param {Size} film
 * @param {Size} area the window, in its pixels
 * @returns {Placement}
 */
export function fitted(film, area) {
  const scale = Math.min(area.width / film.width, area.height / film.height);
  return { scale, x: (area.width - film.width * scale) / 2, y: (area.height - film.height * scale) / 2 };
}

/**
 * The placement after zooming by `factor`, with the film's pixel under `point` left where it is.
 *
 * @param {Placement} placement
 * @param {number} factor
 * @param {[number, number]} point in the window's pixels
 * @param {{least: number, most: number}} limits of the scale
 * @returns {Placement}
 */
export function zoomed(placement, factor, [across, down], limits) {
  const scale = Math.min(Math.max(placement.scale * factor, limits.least), limits.most);
  const change = scale / placement.scale;
  return { scale, x: across - (across - placement.x) * change, y: down - (down - placement.y) * change };
}

/**
 * A placement that leaves some of the film in the window: its middle cannot leave it.
 *
 * @param {Placement} placement
 * @param {Size} film
 * @param {Size} area
 * @returns {Placement}
 */
export function keptInside({ scale, x, y }, film, area) {
  const within = (place, side, room) => Math.min(Math.max(place, -side / 2), room - side / 2);
  return { scale, x: within(x, film.width * scale, area.width), y: within(y, film.height * scale, area.height) };
}
