/**
 * Instruments `fetch`: a CLIENT span per request, named and described by the HTTP semantic conventions, and a `traceparent` header
 * where propagation is allowed.
 *
 * The span ends when the response's headers arrive or the request fails; with `traceTiming`, when its body has arrived. A body is never
 * touched, copied or held.
 */

import { finishRequest, startRequest } from "./http.mjs";

/** The instrumented `fetch` that is in use. */
let current;

/** The instrumentation, for `init`'s list; a second one does nothing. */
export const traceFetch = (options = {}) => () => {
  if (current) return;
  const original = globalThis.fetch;

  function fetch(input, init) {
    let call;
    let args = arguments;
    // Perhaps of another frame's class.
    const request = input?.headers && input;
    try {
      call = fetch === current && startRequest(options, request?.url ?? input, init?.method ?? request?.method ?? "GET");
      if (call?.[1]) args = withTraceparent(call[0], request, input, init);
    } catch {
      // Whatever is odd about the arguments, the real fetch will say it.
    }
    const answer = original.apply(this, args);
    return call
      ? answer.then(
          (response) => {
            finishRequest(call, response);
            return response;
          },
          (error) => {
            finishRequest(call, {}, error ?? {});
            throw error;
          },
        )
      : answer;
  }

  globalThis.fetch = current = fetch;
  return () => {
    current = null;
    if (globalThis.fetch === fetch) globalThis.fetch = original;
  };
};

/** The arguments with the header added, unless the caller set one; what the caller passed is not changed. */
function withTraceparent(span, request, input, init) {
  // An object of a class, as a Request is one, keeps its members to itself: the platform copies those.
  if (request || (init && init.constructor !== Object)) {
    const copy = new Request(input, init);
    span.inject(copy.headers);
    return [copy];
  }
  return [input, { ...init, headers: span.inject(new Headers(init?.headers)) }];
}
