/** Types of `clewline/errors`: spans of exceptions that nobody caught. */

import type { Instrumentation } from "./index.mjs";

/**
 * A span for each uncaught exception and unhandled rejection, at most `mostErrors` (50) in a page, with the event `exception`: type, message and
 * stack. Of a script of another origin browsers tell no more than "Script error.". A second one in a page does nothing.
 */
export declare function traceErrors(options?: { mostErrors?: number }): Instrumentation;
