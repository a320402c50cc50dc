/**
 * The package's entry for Cloudflare Workers and other hosts that compile no bytes: the module is imported as a file.
 *
 * There, requests share memory but neither promises nor timers: what one request began, another cannot wait for. So nothing is sent by
 * itself; `flush` sends what has ended, as a part of the request that calls it: `context.waitUntil(tracer.flush())`.
 */

import { followPromises } from "./async-context.mjs";
import { checkClock } from "./clock.mjs";
import { freeForgotten } from "./forgotten.mjs";
import module from "./core.wasm";
import { init as start } from "./slim.mjs";
import { LARGEST } from "./module.mjs";
import { deliver, next, stopTransport, wrapSend } from "./transport.mjs";

export { SpanKind, SpanStatusCode, stats } from "./slim.mjs";

/** One request after the other, until there are none or the collector does not take them. */
async function flush() {
  let request;
  while ((request = next(LARGEST)) && (await deliver(request)));
}

/** See `init` of the other entries. To be called while a request is answered: before, a Worker has no random numbers and no time. */
export function init(options) {
  followPromises();
  freeForgotten();
  const tracer = start(options, module);
  if (!tracer.isManual) {
    stopTransport();
    // Members of a page's request that mean nothing here.
    wrapSend((send) => (address, { method, headers, body, signal }) => send(address, { method, headers, body, signal }));
    Object.assign(tracer, { flush, isManual: true });
  } else {
    // No timer does it here, so each request does.
    checkClock();
  }
  return tracer;
}
