/** Types of `clewline/navigation`: spans of changes of route. */

import type { Instrumentation } from "./index.mjs";

/** A span for each change of the page's path by script or by the back button, without loading. */
export declare function traceNavigation(): Instrumentation;
