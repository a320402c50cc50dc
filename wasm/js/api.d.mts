/** Types of `clewline/api`: Clewline behind `@opentelemetry/api`. */

import type { Instrumentation } from "./index.mjs";

/** Where contexts are kept while functions run: an `AsyncLocalStorage`, or what behaves like one. */
export interface ContextStore {
  getStore(): unknown;
  run<R>(value: unknown, fn: () => R): R;
}

/**
 * Makes the tracer that `init` starts the provider of `@opentelemetry/api`: its tracers, its contexts, its propagation of `traceparent`,
 * `tracestate` and `baggage`. Members of baggage that break its rules are left out, and counted as `refusedBaggage`. Without a store,
 * contexts hold through promises where the host offers that, and as far as synchronous code reaches in a browser.
 *
 * If the API has another provider already, `init` says so on the console, and what is recorded by the API is that one's.
 */
export declare function provideApi(store?: ContextStore): Instrumentation;
