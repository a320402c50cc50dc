/** Types of `clewline/fetch`: spans and `traceparent` headers for requests by `fetch`. */

import type { Instrumentation } from "./index.mjs";

export interface RequestOptions {
  /**
   * Which requests to other origins carry `traceparent`: an address (with all that lies below its path), a pattern for the whole address,
   * or a function that answers true. The page's own origin always does. Each of these servers must allow the header (CORS).
   */
  propagateTo?: readonly (string | RegExp | ((url: URL) => boolean))[];
  /** Whether `url.full` keeps the query string. Credentials and fragments are never recorded. Default false. */
  recordQuery?: boolean;
}

/** A CLIENT span for every `fetch` of an http(s) address, from the call to the response's headers. */
export declare function traceFetch(options?: RequestOptions): Instrumentation;
