/**
 * What hands do on the film: wheel and pinch zoom, drag pans, drag with the right button sets the window.
 *
 * @typedef {object} Hands
 * @property {(factor: number, point: [number, number]) => void} zoom
 * @property {(across: number, down: number) => void} pan in pixels
 * @property {(across: number, down: number) => void} window in shares of the film's area
 * @property {() => void} reset
 */

const WHEEL = 0.0015;
const RIGHT_BUTTON = 2;

/**
 * @param {HTMLElement} area
 * @param {Hands} hands
 */
export function followPointers(area, hands) {
  const down = new Map();
  const place = (event) => {
    const { left, top } = area.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  area.addEventListener("contextmenu", (event) => event.preventDefault());
  area.addEventListener("dblclick", () => hands.reset());
  area.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 * event.deltaY : event.deltaY;
      hands.zoom(Math.exp(-WHEEL * pixels), place(event));
    },
    { passive: false },
  );
  area.addEventListener("pointerdown", (event) => {
    area.setPointerCapture(event.pointerId);
    down.set(event.pointerId, { at: place(event), right: event.button === RIGHT_BUTTON });
  });
  area.addEventListener("pointermove", (event) => {
    const held = down.get(event.pointerId);
    if (!held) return;
    const now = place(event);
    const moved = [now[0] - held.at[0], now[1] - held.at[1]];
    if (down.size === 2) pinch(down, event.pointerId, now, hands);
    else if (held.right) hands.window(moved[0] / area.clientWidth, moved[1] / area.clientHeight);
    else hands.pan(...moved);
    held.at = now;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    area.addEventListener(end, (event) => down.delete(event.pointerId));
  }
}

function pinch(down, moving, now, hands) {
  const other = [...down].find(([pointer]) => pointer !== moving)[1].at;
  const before = down.get(moving).at;
  const distance = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
  hands.zoom(distance(now) / distance(before), [(now[0] + other[0]) / 2, (now[1] + other[1]) / 2]);
}
