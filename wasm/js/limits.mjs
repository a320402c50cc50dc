/** How long and how often the transport tries, and how much waits where; in a file without imports, because esbuild puts only such numbers in place. */

/** How long a request may take, in milliseconds. */
export const TIMEOUT = 10_000;
/** How often a request is sent. */
export const ATTEMPTS = 5;
/** Pauses between attempts double up to this, in milliseconds; a collector may ask for as much. */
export const LONGEST_PAUSE = 60_000;

/** Of more requests than these that a page leaves behind, only the number of spans is kept: localStorage is the application's. */
export const MOST_LEFTOVERS = 8;
