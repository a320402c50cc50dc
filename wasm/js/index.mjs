/** The package's entry: `init` starts tracing once, `stats` answers what became of the spans. */

import { firstDifference, readOptions } from "./options.mjs";
import { Tracer } from "./tracer.mjs";

export { SpanKind, SpanStatusCode } from "./span.mjs";

let current;

/**
 * Starts tracing and answers the tracer. A second call with the same options answers the same tracer.
 * @throws {TypeError} with the name of the option that is wrong, unknown, or different from the first call's
 */
export function init(given) {
  const options = readOptions(given);
  if (current) {
    const name = firstDifference(current.options, options);
    if (name) throw new TypeError(`clewline: init was called before with another "${name}"; await shutdown() first to start anew`);
    return current.tracer;
  }
  const tracer = new Tracer(options, () => (current = undefined));
  current = { options, tracer };
  return tracer;
}

/** `tracer.stats()` of the running tracer. */
export function stats() {
  if (!current) throw new Error("clewline: call init() before stats()");
  return current.tracer.stats();
}
