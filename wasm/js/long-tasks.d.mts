/** Types of `clewline/long-tasks`: spans of frames and tasks that kept the page from answering. */

import type { Instrumentation } from "./index.mjs";

/** A span for each long animation frame, or long task, of at least `least` milliseconds (50). A second one in a page does nothing. */
export declare function traceLongTasks(options?: { least?: number }): Instrumentation;
