/** Clewline as a benchmark's case: what is measured is what an application calls. */

import { SpanKind, init } from "clewline/index.mjs";
import { LARGEST, done, take } from "clewline/module.mjs";

/** Starts anew, with this share of sampled traces. */
export function open(ratio) {
  globalThis.fetch = async () => new Response();
  const tracer = init({ serviceName: "bench", endpoint: "http://collector.test", sampleRatio: ratio, flushInterval: 60_000 });
  return {
    /** A root span with attributes, from start to end. */
    span: (name, attributes) => tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }).end(),
    /** Takes all ended spans as OTLP protobuf; how many bytes that is. */
    encode() {
      let bytes = 0;
      for (let request; (request = take(LARGEST)); done(request)) bytes += request.bytes.length;
      return bytes;
    },
    close: () => tracer.shutdown(),
  };
}
