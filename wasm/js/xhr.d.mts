/** Types of `clewline/xhr`: spans and `traceparent` headers for requests by `XMLHttpRequest`. */

import type { RequestOptions } from "./fetch.mjs";
import type { Instrumentation } from "./index.mjs";

/**
 * A CLIENT span for every request to an http(s) address, from `send` to the end of the answer. Failures are named as `fetch` names them:
 * `error.type` is `NetworkError`, `AbortError` or `TimeoutError`. Left alone is what `traceFetch` leaves alone. A second one in a page does
 * nothing.
 */
export declare function traceXhr(options?: RequestOptions): Instrumentation;
