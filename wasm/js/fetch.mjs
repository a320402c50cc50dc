/**
 * Instruments `fetch`: a CLIENT span per request, named and described by the HTTP semantic conventions, and a `traceparent` header
 * where propagation is allowed. A request that carries one is somebody else's, who made its span, and is left alone.
 *
 * The span ends when the response's headers arrive or the request fails; with `traceTiming`, when its body has arrived. A body is never
 * touched, copied or held.
 */

import { finishRequest, readRequestOptions, startRequest } from "./http.mjs";

/** The instrumented `fetch` that is in use. */
let current;

/** The instrumentation, for `init`'s list; a second one does nothing. */
export const traceFetch = (given) => {
  const options = readRequestOptions(given);
  return () => patch(options);
};

function patch(options) {
  if (current) return;
  const original = globalThis.fetch;
  // Name, length and whatever else there is of `fetch` stay what they were.
  const fetch = new Proxy(original, {
    apply(_, self, args) {
      let call;
      try {
        const [input, init] = args;
        // Perhaps of another frame's class.
        const request = input?.headers && input;
        const headers = init?.headers ?? request?.headers;
        // Headers that can be read but once are left to the network.
        const isLeft = fetch !== current || (!headers?.next && new Headers(headers).has("traceparent"));
        call = !isLeft && startRequest(options, request?.url ?? input, init?.method ?? request?.method ?? "GET");
        if (call?.[1]) {
          // An object of a class, as a Request is one, keeps its members to itself: the platform copies those.
          const isOdd = request || (init && init.__proto__ !== Object.prototype);
          const copy = isOdd ? new Request(input, init) : { ...init, headers: new Headers(init?.headers) };
          call[0].inject(copy.headers);
          args = isOdd ? [copy] : [input, copy];
        }
      } catch {
        // Whatever is odd about the arguments, the real fetch will say it.
      }
      let answer;
      try {
        answer = Reflect.apply(original, self, args);
      } catch (error) {
        // What is below may be somebody else's: that it throws, or answers at once, is their business.
        if (call) finishRequest(call, undefined, error);
        throw error;
      }
      return call
        ? Promise.resolve(answer).then(
            (response) => finishRequest(call, response),
            (error) => {
              finishRequest(call, undefined, error);
              throw error;
            },
          )
        : answer;
    },
  });

  globalThis.fetch = current = fetch;
  return () => {
    current = null;
    if (globalThis.fetch === fetch) globalThis.fetch = original;
  };
}
