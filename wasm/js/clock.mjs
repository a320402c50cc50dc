/**
 * The clock of a page: nanoseconds since a fixed anchor, one `performance.now()` per reading, never running backwards.
 *
 * `performance.now()` is steady but stops while the computer sleeps and knows nothing of corrected time; `Date.now()` follows both but
 * jumps and has only milliseconds. So readings come from the first, and `check` compares the two whenever it is cheap to do so.
 */

/** How far the two clocks may drift apart, in milliseconds, before the readings follow `Date.now()`. */
const TOLERANCE = 50;

export class Clock {
  /** Unix milliseconds that readings count from; a whole number, so nanoseconds are never computed from epoch time in one double. */
  anchor;
  #performance;
  #date;
  /** The `performance.now()` that corresponds to the anchor. */
  #origin;
  #last = 0;

  constructor(performance = globalThis.performance, date = Date) {
    this.#performance = performance;
    this.#date = date;
    this.anchor = date.now();
    this.#origin = performance.now();
  }

  /** Nanoseconds since the anchor; never less than the last reading. */
  now() {
    const reading = (this.#performance.now() - this.#origin) * 1e6;
    return reading > this.#last ? (this.#last = reading) : this.#last;
  }

  /** Nanoseconds since the anchor of a `Date` or of epoch milliseconds. */
  at(time) {
    return (Number(time) - this.anchor) * 1e6;
  }

  /**
   * Follows `Date.now()` after sleep or a correction. Forward at once; backward only as far as no reading was given yet, so that
   * what was given stays in order and the rest is caught up later.
   */
  check() {
    const now = this.#performance.now();
    const behind = this.#date.now() - this.anchor - (now - this.#origin);
    if (behind > TOLERANCE) this.#origin -= behind;
    else if (behind < -TOLERANCE) this.#origin += Math.min(-behind, Math.max(0, now - this.#origin - this.#last / 1e6));
  }
}
