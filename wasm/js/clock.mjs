/**
 * The clock: nanoseconds since a fixed anchor, one `performance.now()` per reading, never running backwards.
 *
 * `performance.now()` is steady but stops while the computer sleeps and knows nothing of corrected time; `Date.now()` follows both but
 * jumps and has only milliseconds. So readings come from the first, and `check` compares the two whenever it is cheap to do so.
 */

/** How far the two clocks may drift apart, in milliseconds, before the readings follow `Date.now()`. */
const TOLERANCE = 50;

/** Unix milliseconds that readings count from; a whole number, so nanoseconds are never computed from epoch time in one double. */
let anchor;
/** The `performance.now()` that corresponds to the anchor. */
let origin;
let last;
/** The host's clock. Held, because in Node the global of its name is a function in disguise, which costs as much as a reading. */
let steady;

/** Anchors the clock now; answers the anchor. */
export function openClock() {
  steady = performance;
  origin = steady.now();
  last = 0;
  return (anchor = Date.now());
}

/** Nanoseconds since the anchor; never less than the last reading. */
export function now() {
  return (last = Math.max(last, Math.round((steady.now() - origin) * 1e6)));
}

/** Nanoseconds since the anchor of a `Date` or of epoch milliseconds; now for no time, and for what is none. */
export const timeOf = (time) => (isNaN(time ?? NaN) ? now() : Math.round((time - anchor) * 1e6));

/** Epoch milliseconds of a `performance.now()`, for what the browser timed itself. */
export const epochOf = (time) => anchor + time - origin;

/**
 * Follows `Date.now()` after sleep or a correction. Forward at once; backward only as far as no reading was given yet, so that what
 * was given stays in order and the rest is caught up later.
 */
export function checkClock() {
  const elapsed = steady.now() - origin;
  const behind = Date.now() - anchor - elapsed;
  if (behind > TOLERANCE) origin -= behind;
  else if (behind < -TOLERANCE) origin += Math.min(-behind, Math.max(0, elapsed - last / 1e6));
}
