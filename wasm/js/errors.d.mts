/** Types of `clewline/errors`: spans of exceptions that nobody caught. */

import type { Instrumentation } from "./index.mjs";

/** A span for each uncaught exception and unhandled rejection, at most `most` (50) in a page. */
export declare function traceErrors(options?: { most?: number }): Instrumentation;
