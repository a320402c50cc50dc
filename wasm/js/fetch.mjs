/**
 * Instruments `fetch`: a CLIENT span per request, named and described by the HTTP semantic conventions, and a `traceparent` header
 * where propagation is allowed.
 *
 * The span ends when the response's headers arrive or the request fails; with `traceTiming`, when its body has arrived. A body is never
 * touched, copied or held.
 */

import { finishRequest, startRequest } from "./http.mjs";

/** The instrumentation, for `init`'s list. */
export const traceFetch = (options = {}) => () => {
  const original = globalThis.fetch;
  let on = true;

  function fetch(input, init) {
    let call;
    let args = arguments;
    try {
      const request = input instanceof Request ? input : undefined;
      call = on && startRequest(options, request?.url ?? input, String(init?.method ?? request?.method ?? "GET"));
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

  globalThis.fetch = fetch;
  return () => {
    on = false;
    if (globalThis.fetch === fetch) globalThis.fetch = original;
  };
};

/** The arguments with the header added, unless the caller set one; what the caller passed is not changed. */
function withTraceparent(span, request, input, init) {
  const headers = new Headers(init?.headers ?? request?.headers);
  if (headers.has("traceparent")) return [input, init];
  span.inject(headers);
  // An object of a class, as a Request is one, keeps its members to itself: the platform copies those.
  if (!request && (!init || Object.getPrototypeOf(init) === Object.prototype)) return [input, { ...init, headers }];
  const copy = new Request(input, init ?? undefined);
  span.inject(copy.headers);
  return [copy];
}
