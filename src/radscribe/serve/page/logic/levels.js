/**
 * Which grey levels of a film are shown as black and as white.
 *
 * @typedef {{black: number, white: number}} Window
 */

const NARROWEST = 2;

/** The window that an answer of the service names, or all levels of `bits` where it names none. */
export function firstWindow(header, bits) {
  const [black, white] = (header ?? "").split(" ").map(Number);
  if (header && Number.isFinite(black) && Number.isFinite(white) && black < white) return { black, white };
  return { black: 0, white: 2 ** bits - 1 };
}

/**
 * The window after a drag: to the right more levels, down brighter.
 *
 * @param {Window} window
 * @param {number} across shares of the window's side that the pointer moved
 * @param {number} down
 * @returns {Window}
 */
export function dragged({ black, white }, across, down) {
  const width = Math.max(NARROWEST, (white - black) * 2 ** (2 * across));
  const middle = (black + white) / 2 - down * (white - black);
  return { black: middle - width / 2, white: middle + width / 2 };
}

/** The share of white that a level is shown with, from 0 to 1. */
export function brightness(level, { black, white }, inverted) {
  const share = Math.min(Math.max((level - black) / (white - black), 0), 1);
  return inverted ? 1 - share : share;
}

/** A film of half the sides, each level the mean of four; for cards that hold no larger pictures. */
export function halved({ width, height, bits, levels }) {
  const across = Math.max(1, width >> 1);
  const down = Math.max(1, height >> 1);
  const half = new levels.constructor(across * down);
  for (let row = 0; row < down; row += 1) {
    for (let column = 0; column < across; column += 1) {
      const place = 2 * row * width + 2 * column;
      const right = column * 2 + 1 < width ? 1 : 0;
      const below = row * 2 + 1 < height ? width : 0;
      const sum = levels[place] + levels[place + right] + levels[place + below] + levels[place + right + below];
      half[row * across + column] = Math.round(sum / 4);
    }
  }
  return { width: across, height: down, bits, levels: half };
}
