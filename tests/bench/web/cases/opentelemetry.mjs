/** OpenTelemetry-JS as a benchmark's case. Its spans go into an array, which is less than its batch processor does. */

import { ROOT_CONTEXT, SpanKind } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { ParentBasedSampler, TraceIdRatioBasedSampler, TracerProvider } from "@opentelemetry/sdk-trace";

/** Starts anew, with this share of sampled traces. */
export function open(ratio) {
  let ended = [];
  const processor = {
    onStart() {},
    onEnd: (span) => void ended.push(span),
    forceFlush: async () => {},
    shutdown: async () => {},
  };
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": "bench" }),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer("bench");
  return {
    span: (name, attributes) => tracer.startSpan(name, { kind: SpanKind.CLIENT, attributes }, ROOT_CONTEXT).end(),
    encode() {
      const spans = ended;
      ended = [];
      return ProtobufTraceSerializer.serializeRequest(spans).length;
    },
    close: () => provider.shutdown(),
  };
}
