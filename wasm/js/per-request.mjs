/**
 * `init` for hosts where requests share memory but neither promises nor timers: what one request began, another cannot wait for.
 *
 * So nothing is sent by itself; `flush` sends what has ended, as a part of the request that calls it.
 */

import { checkClock } from "./clock.mjs";
import { freeForgotten } from "./forgotten.mjs";
import { init as start } from "./slim.mjs";
import { deliver, next, stopTransport, wrapSend } from "./transport.mjs";

/** One request after the other, until there are none or the collector does not take them. */
async function flush() {
  let request;
  while ((request = next()) && (await deliver(request)));
}

/** `init` of `clewline/slim`, whose tracer sends when it is told to. */
export function initPerRequest(options, module) {
  freeForgotten();
  const tracer = start(options, module);
  if (tracer.isManual) {
    // No timer does it here, so each request does.
    checkClock();
  } else {
    stopTransport();
    // Members of a page's request that mean nothing here.
    wrapSend((send) => (address, { method, headers, body, signal }) => send(address, { method, headers, body, signal }));
    Object.assign(tracer, { flush, isManual: true });
  }
  return tracer;
}
