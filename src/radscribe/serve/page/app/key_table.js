/** What each key of the page does. */

import { announce } from "./announcer.js";
import { byId } from "./dom.js";

const STEP = 40;

/**
 * @param {any} page
 * @param {() => void} help
 * @returns {import("./keys.js").Key[]}
 */
export function pageKeys(page, help) {
  const film = page.films.view;
  const report = (act) => () => {
    if (page.report) act(page.report);
    else announce(page.reading ? "The draft is hidden. d shows it." : "No study is open.");
  };
  return [
    { keys: ["j"], shown: "j", does: "Next sentence", repeats: true, act: report((panel) => panel.move(1)) },
    { keys: ["k"], shown: "k", does: "Previous sentence", repeats: true, act: report((panel) => panel.move(-1)) },
    { keys: ["Enter"], shown: "Enter", does: "Accept the sentence", act: report((panel) => panel.decide("accepted")) },
    { keys: ["x"], shown: "x", does: "Reject the sentence", act: report((panel) => panel.decide("rejected")) },
    { keys: ["u"], shown: "u", does: "Undo the decision on the sentence", act: report((panel) => panel.decide("open")) },
    { keys: ["e"], shown: "e", does: "Edit the sentence", act: report((panel) => panel.edit()) },
    { keys: ["s"], shown: "s", does: "Change its side: right, left, both", act: report((panel) => panel.turn()) },
    { keys: ["a"], shown: "a", does: "Accept all that is open and finish the report", act: report((panel) => panel.finish()) },
    { keys: ["c"], shown: "c", does: "Copy the text of the report", act: report((panel) => panel.copy()) },
    { keys: ["n"], shown: "n", does: "Next study", act: () => page.next() },
    { keys: ["d"], shown: "d", does: "Show the draft (film first)", act: () => page.reveal() },
    { keys: ["f"], shown: "f", does: "Film first: hide drafts until you ask for them", act: () => page.toggleFilmFirst() },
    { keys: ["i"], shown: "i", does: "Invert the film", act: () => film.invert() },
    { keys: ["w"], shown: "w", does: "Window as at first", act: () => film.resetWindow() },
    { keys: ["0"], shown: "0", does: "Fit the film", act: () => film.fit() },
    { keys: ["+", "="], shown: "+", does: "Zoom in", repeats: true, act: () => film.zoomIn() },
    { keys: ["-"], shown: "-", does: "Zoom out", repeats: true, act: () => film.zoomOut() },
    { keys: ["o"], shown: "o", does: "Open films", act: () => byId("files").click() },
    { keys: ["?"], shown: "?", does: "This list", act: help },
    {
      keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"],
      shown: "← → ↑ ↓",
      does: "On the film: move it; with Shift: contrast and brightness",
      film: true,
      act: (event) => onFilm(film, event),
    },
  ];
}

function onFilm(film, { key, shiftKey }) {
  const across = { ArrowLeft: -1, ArrowRight: 1 }[key] ?? 0;
  const down = { ArrowUp: -1, ArrowDown: 1 }[key] ?? 0;
  if (shiftKey) film.changeWindow(-0.05 * down, 0.05 * across);
  else film.pan(-STEP * across, -STEP * down);
}
