/**
 * Hands on what a request brought: its `tracestate`, with those requests that continue its trace (W3C Trace Context level 2, section 3.3);
 * its `baggage` (W3C Baggage), with those that got our `traceparent`; and itself, as a request of ours, where a Worker passes it on with the
 * headers that it has.
 */

import { AsyncLocalStorage } from "node:async_hooks";

import { activeSpan } from "./context.mjs";
import { recordTraceState } from "./module.mjs";
import { handleOf } from "./span.mjs";
import { watchBy } from "./tracer.mjs";

const store = new AsyncLocalStorage();
/** Requests that are passed on, with the `traceparent` that they brought. */
const passedOn = new WeakMap();
let original;
/** Whether the request that is being sent has no `traceparent` of the Worker's, so that one that it has got is ours. */
let isOurs = false;

/** Puts the header where `traceparent` is of the same trace. To be called before anything else wraps `fetch`. */
export function handOnTraceState() {
  if (original) return;
  watchBy(note);
  original = globalThis.fetch;
  globalThis.fetch = function (input, init) {
    const [trace, state, , baggage] = store.getStore() ?? [];
    // Headers that carry our `traceparent` are our own copy.
    const headers = init?.headers ?? input?.headers;
    if (isOurs && baggage && headers instanceof Headers && headers.has("traceparent") && !headers.has("baggage")) headers.set("baggage", baggage);
    const brought = passedOn.get(input);
    // Ours did not take its place: the Worker's word is good.
    if (brought && !input.headers.has("traceparent")) input.headers.set("traceparent", brought);
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

/**
 * The instrumentation behind `traceFetch`, which leaves requests alone that carry `traceparent`: not those where it is what the Worker's own
 * request brought.
 */
export function tracePassedOn() {
  const traced = globalThis.fetch;
  const fetch = new Proxy(traced, {
    apply(_, self, args) {
      try {
        const [input, init] = args;
        const brought = store.getStore()?.[2];
        const headers = init?.headers ?? input?.headers;
        const carried = headers?.next ? undefined : new Headers(headers).get("traceparent");
        isOurs = carried === null || carried === brought;
        if (brought && carried === brought) {
          const request = new Request(input, init);
          request.headers.delete("traceparent");
          passedOn.set(request, brought);
          args = [request];
        }
      } catch {
        // Whatever is odd about the arguments, the real fetch will say it.
      }
      try {
        return Reflect.apply(traced, self, args);
      } finally {
        isOurs = false;
      }
    },
  });
  globalThis.fetch = fetch;
  return () => globalThis.fetch === fetch && (globalThis.fetch = traced);
}

/** Calls `fn` for a request with these headers, in the span that is active. */
export const withTraceState = (headers, fn) =>
  store.run([headers.get("traceparent")?.slice(3, 35), headers.get("tracestate"), headers.get("traceparent"), headers.get("baggage")], () => {
    const span = activeSpan();
    note(span, handleOf(span));
    return fn();
  });

/** Has a span of the request's trace say the header too. */
function note(span, handle) {
  const [trace, state] = store.getStore() ?? [];
  if (state && handle & 1 && span.traceparent().slice(3, 35) === trace) recordTraceState(handle, state);
}
