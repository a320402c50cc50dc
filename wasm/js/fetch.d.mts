/** Types of `clewline/fetch`: spans and `traceparent` headers for requests by `fetch`. */

import type { Instrumentation } from "./index.mjs";

/** An address, whole or from the root of the page's own (with all that lies below its path), a pattern for the whole address, or a function that answers true. */
export type PropagationTarget = string | RegExp | ((url: URL) => boolean);

export interface RequestOptions {
  /**
   * Which requests to other origins carry `traceparent`. The page's own origin always does. Each of these servers must allow the header
   * (CORS). Browsers take the header along where a request is redirected to. A text that is no address, such as a bare "api.example.com",
   * throws a TypeError.
   */
  propagateTo?: PropagationTarget | readonly PropagationTarget[];
  /**
   * Whether `url.full` keeps the query string. One with a signature (`sig`, `Signature`, `AWSAccessKeyId` and the like), credentials and
   * fragments are never recorded. Default false.
   */
  recordQuery?: boolean;
}

/**
 * A CLIENT span for every `fetch` of an http(s) address, from the call to the response's headers; with `traceTiming` of
 * `clewline/timing`, to the end of its body. Left alone are requests that carry `traceparent` already, which have a span elsewhere, and those
 * whose path ends with `/v1/traces`, which are exports of spans. A second one in a page does nothing.
 */
export declare function traceFetch(options?: RequestOptions): Instrumentation;
