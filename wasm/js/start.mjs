/** Puts the parts together: from options to a running tracer, once. */

import { checkClock, openClock } from "./clock.mjs";
import { activeSpan } from "./context.mjs";
import { leavePage, takeLeftovers } from "./leftovers.mjs";
import { begin, openModule, run, wasm } from "./module.mjs";
import { fail, readOptions } from "./options.mjs";
import * as api from "./tracer.mjs";
import { flush, openTransport, stopTransport } from "./transport.mjs";
import { VERSION } from "./version.mjs";

let tracer, before;

/** `init` with the instance that the entry file can make: `source` answers its exports. */
export function start(given, source) {
  const options = readOptions(given);
  const text = JSON.stringify(given);
  if (tracer) {
    if (text !== before) throw new TypeError("clewline: init was called with other options; await shutdown() first");
    return tracer;
  }
  try {
    openModule(source());
  } catch (cause) {
    throw new Error("clewline: WebAssembly is forbidden here; script-src needs 'wasm-unsafe-eval'", { cause });
  }
  begin();
  const resource = {
    "telemetry.sdk.name": "clewline",
    "telemetry.sdk.language": "webjs",
    "telemetry.sdk.version": VERSION,
    "service.name": options.serviceName,
    ...options.resource,
  };
  if (!wasm.configure(run(resource), options.sampleRatio, openClock())) {
    fail("resource", "is too large, or holds what no attribute can");
  }
  openTransport(options);

  const stop = startAll(options.instrumentations);
  // Listening after the instrumentations, for what they end when a page is left.
  const listening = new AbortController();
  takeLeftovers(listening);
  for (const type of ["visibilitychange", "pagehide"]) {
    globalThis.addEventListener?.(
      type,
      () => {
        if (type === "pagehide" || document.visibilityState === "hidden") return leavePage(type);
        checkClock();
        takeLeftovers(listening);
      },
      listening,
    );
  }

  before = text;
  return (tracer = {
    startSpan: api.startSpan,
    startActiveSpan: api.startActiveSpan,
    activeSpan,
    flush,
    stats: api.stats,
    async shutdown() {
      tracer = undefined;
      stop();
      listening.abort();
      stopTransport();
      await flush();
    },
  });
}

/** Starts instrumentations, and answers how to stop them, the last one first. What one throws is said, and stops neither the others nor the page. */
export function startAll(instrumentations) {
  const undo = instrumentations.map(attempt);
  return () => undo.reverse().forEach(attempt);
}

function attempt(step) {
  try {
    return step?.();
  } catch (error) {
    console.error("clewline: an instrumentation failed", error);
  }
}

/** What became of the spans of the running tracer. */
export function stats() {
  if (!tracer) throw new Error("clewline: call init() before stats()");
  return tracer.stats();
}
