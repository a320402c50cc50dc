/** Types of `clewline/timing`: what the browser times of requests. */

import type { Instrumentation } from "./index.mjs";

/**
 * Lets the spans of `traceFetch` and `traceXhr` end with the response's body, and adds its phases as events, by Resource Timing. A body that
 * never ends holds no memory; its span ends where its headers arrived, when the page is left or 64 others wait. A second one in a page does
 * nothing.
 */
export declare function traceTiming(): Instrumentation;
