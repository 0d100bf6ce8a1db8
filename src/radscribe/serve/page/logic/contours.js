/**
 * Contours of a map by marching squares.
 *
 * @typedef {[number, number]} Point in shares of the map, (0, 0) its upper left corner
 */

// Contours of a map, as shares of its peak: those that `radscribe generate --picture` draws.
export const LEVELS = [0.6, 0.85];

// For each corner above the level (upper left 8, upper right 4, lower right 2, lower left 1) the edges that a line joins.
const TOP = 0;
const RIGHT = 1;
const BOTTOM = 2;
const LEFT = 3;
const JOINED = [
  [], [[LEFT, BOTTOM]], [[BOTTOM, RIGHT]], [[LEFT, RIGHT]], [[TOP, RIGHT]], [[LEFT, TOP], [BOTTOM, RIGHT]],
  [[TOP, BOTTOM]], [[LEFT, TOP]], [[LEFT, TOP]], [[TOP, BOTTOM]], [[LEFT, BOTTOM], [TOP, RIGHT]], [[TOP, RIGHT]],
  [[LEFT, RIGHT]], [[BOTTOM, RIGHT]], [[LEFT, BOTTOM]], [],
];

/**
 * The closed lines around what reaches `level` in a map; at the map's edge they run along it.
 *
 * @param {number[][]} values rows of the map
 * @param {number} level
 * @returns {Point[][]} each line's points; the last one is joined to the first
 */
export function contours(values, level) {
  const rows = values.length;
  const columns = values[0].length;
  // A border beyond the edge, lower than any level, closes every line.
  const at = (row, column) =>
    row < 0 || column < 0 || row >= rows || column >= columns ? -Infinity : values[row][column];
  const segments = new Map();
  for (let row = -1; row < rows; row += 1) {
    for (let column = -1; column < columns; column += 1) {
      const corners = [at(row, column), at(row, column + 1), at(row + 1, column + 1), at(row + 1, column)];
      const kind = corners.reduce((sum, corner) => 2 * sum + (corner >= level ? 1 : 0), 0);
      for (const [from, to] of JOINED[kind]) {
        join(segments, crossing(row, column, from, corners, level), crossing(row, column, to, corners, level));
      }
    }
  }
  const scaled = ([across, down]) => [
    Math.min(Math.max((across + 0.5) / columns, 0), 1),
    Math.min(Math.max((down + 0.5) / rows, 0), 1),
  ];
  return chains(segments).map((line) => line.map(scaled));
}

/** Where the line of `level` crosses an edge of a cell, in cells. */
function crossing(row, column, edge, [upperLeft, upperRight, lowerRight, lowerLeft], level) {
  const part = (first, second) => {
    if (first === -Infinity) return 0.5;
    if (second === -Infinity) return 0.5;
    return (level - first) / (second - first);
  };
  if (edge === TOP) return [column + part(upperLeft, upperRight), row];
  if (edge === BOTTOM) return [column + part(lowerLeft, lowerRight), row + 1];
  if (edge === LEFT) return [column, row + part(upperLeft, lowerLeft)];
  return [column + 1, row + part(upperRight, lowerRight)];
}

function join(segments, from, to) {
  if (from[0] === to[0] && from[1] === to[1]) return;
  for (const [start, end] of [[from, to], [to, from]]) {
    const name = start.join();
    if (!segments.has(name)) segments.set(name, { point: start, ends: [] });
    segments.get(name).ends.push(end.join());
  }
}

/** The segments joined to lines. */
function chains(segments) {
  const lines = [];
  for (const first of segments.keys()) {
    let name = first;
    const line = [];
    while (segments.get(name).ends.length) {
      const here = segments.get(name);
      line.push(here.point);
      const next = here.ends.pop();
      const back = segments.get(next).ends;
      back.splice(back.indexOf(name), 1);
      name = next;
    }
    if (line.length > 2) lines.push(line);
  }
  return lines;
}
