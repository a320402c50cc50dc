/**
 * The package's entry for Cloudflare Workers and other hosts that compile no bytes: the module is imported as a file, and what has ended is
 * sent by `context.waitUntil(tracer.flush())`.
 */

import { followPromises } from "./async-context.mjs";
import module from "./core.wasm";
import { initPerRequest } from "./per-request.mjs";

export { SpanKind, SpanStatusCode, stats } from "./slim.mjs";

/** See `init` of the other entries. To be called while a request is answered: before, a Worker has no random numbers and no time. */
export function init(options) {
  followPromises();
  return initPerRequest(options, module);
}
