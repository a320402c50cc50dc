/** Hands on the `tracestate` that a request brought, with those of its own requests that continue its trace (W3C Trace Context level 2, section 3.3). */

import { AsyncLocalStorage } from "node:async_hooks";

const store = new AsyncLocalStorage();
let original;

/** Puts the header where `traceparent` is of the same trace. To be called before anything else wraps `fetch`. */
export function handOnTraceState() {
  if (original) return;
  original = globalThis.fetch;
  globalThis.fetch = function (input, init) {
    const [trace, state] = store.getStore() ?? [];
    // Headers that carry our `traceparent` are our own copy.
    const headers = init?.headers ?? input?.headers;
    if (state && headers instanceof Headers && headers.get("traceparent")?.slice(3, 35) === trace && !headers.has("tracestate")) {
      try {
        headers.set("tracestate", state);
      } catch {
        // Somebody else's headers, which nobody may change.
      }
    }
    return original.apply(this, arguments);
  };
}

/** Calls `fn` for a request with these headers. */
export const withTraceState = (headers, fn) =>
  store.run([headers.get("traceparent")?.slice(3, 35), headers.get("tracestate")], fn);
