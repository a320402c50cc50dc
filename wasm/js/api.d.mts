/** Types of `clewline/api`: Clewline behind `@opentelemetry/api`. */

import type { Instrumentation } from "./index.mjs";

/** Where contexts are kept while functions run: an `AsyncLocalStorage`, or what behaves like one. */
export interface ContextStore {
  getStore(): unknown;
  run<R>(value: unknown, fn: () => R): R;
}

/** Makes the running tracer the provider of `@opentelemetry/api`: tracers, contexts, propagation. */
export declare function provideApi(store?: ContextStore): Instrumentation;
