/** Counts the seconds that a reader spends on a study: not while the page is hidden or nobody moves. */

const IDLE_SECONDS = 60;

export class ReadingClock {
  /** @param {() => number} now milliseconds */
  constructor(now = () => performance.now()) {
    this._now = now;
    this._seconds = 0;
    this._last = null;
    this._paused = true;
  }

  /** Begin to count from nothing. */
  start() {
    this._seconds = 0;
    this._last = this._now();
    this._paused = false;
  }

  /** The reader did something; after a long rest only that rest's first minute counts. */
  touch() {
    if (this._paused) return;
    const now = this._now();
    this._seconds += Math.min((now - this._last) / 1000, IDLE_SECONDS);
    this._last = now;
  }

  /** Count no further until `resume`. */
  pause() {
    this.touch();
    this._paused = true;
  }

  /** Count again. */
  resume() {
    if (this._last === null || !this._paused) return;
    this._last = this._now();
    this._paused = false;
  }

  /** Put back seconds that were taken and not kept. */
  put(seconds) {
    this._seconds += seconds;
  }

  /** The seconds since they were last taken; they are then nothing again. */
  take() {
    this.touch();
    const seconds = Math.round(this._seconds * 10) / 10;
    this._seconds = 0;
    return seconds;
  }
}
