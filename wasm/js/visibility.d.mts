/** Types of `clewline/visibility`: spans of the time a page was seen. */

import type { Instrumentation } from "./index.mjs";

/** A span for each while in which the page could be seen. A second one in a page does nothing. */
export declare function traceVisibility(): Instrumentation;
