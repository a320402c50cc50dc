/**
 * The package's entry for Vercel's edge runtime, whose bundler hands out modules by this suffix, and which has `AsyncLocalStorage` among its
 * globals. What has ended is sent by `waitUntil(tracer.flush())`.
 */

import { keepContextIn } from "./context.mjs";
import module from "./core.wasm?module";
import { initPerRequest } from "./per-request.mjs";

export { SpanKind, SpanStatusCode, stats } from "./slim.mjs";

let store;

/** See `init` of the other entries. */
export function init(options) {
  if (!store && globalThis.AsyncLocalStorage) {
    store = new AsyncLocalStorage();
    keepContextIn({ get: () => store.getStore(), run: (span, fn, ...args) => store.run(span, fn, ...args) });
  }
  return initPerRequest(options, module);
}
