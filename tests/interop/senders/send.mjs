/** Sends spans with OpenTelemetry-JS to an OTLP receiver, every way it can, and prints for each way what it recorded. */

import { createRequire } from "node:module";

// The packages are installed elsewhere: MODULES is the directory above their node_modules.
const require = createRequire(`${process.env.MODULES}/`);
const { SpanKind, SpanStatusCode, TraceFlags, context, createTraceState, trace } = require("@opentelemetry/api");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const sdk = require("@opentelemetry/sdk-trace");
const { OTLPTraceExporter: GrpcExporter } = require("@opentelemetry/exporter-trace-otlp-grpc");
const { OTLPTraceExporter: JsonExporter } = require("@opentelemetry/exporter-trace-otlp-http");
const { OTLPTraceExporter: ProtobufExporter } = require("@opentelemetry/exporter-trace-otlp-proto");

const [url] = process.argv.slice(2);

for (const [protocol, Exporter, endpoint] of [
  ["grpc", GrpcExporter, url],
  ["http/protobuf", ProtobufExporter, `${url}/v1/traces`],
  ["http/json", JsonExporter, `${url}/v1/traces`],
]) {
  for (const compression of ["none", "gzip"]) {
    const memory = new sdk.InMemorySpanExporter();
    const exporter = new Exporter({ url: endpoint, compression });
    const provider = new sdk.TracerProvider({
      resource: resourceFromAttributes({ "service.name": "from-js", "process.pid": 42 }),
      spanLimits: { attributeCountLimit: 10 },
      spanProcessors: [new sdk.SimpleSpanProcessor({ exporter: memory }), new sdk.BatchSpanProcessor({ exporter })],
    });
    record(provider.getTracer("cart", "1.2.3"));
    await provider.forceFlush();
    const spans = memory.getFinishedSpans().map(described);
    await provider.shutdown();
    console.log(JSON.stringify({ way: compression === "gzip" ? `${protocol} with gzip` : protocol, spans }));
  }
}

function record(tracer) {
  const linked = {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    traceFlags: TraceFlags.SAMPLED,
    traceState: createTraceState("vendor=a1"),
    isRemote: true,
  };
  const server = tracer.startSpan("GET /cart/{id}", {
    kind: SpanKind.SERVER,
    root: true,
    links: [{ context: linked, attributes: { reason: "batch" } }],
  });
  server.setAttributes({
    "text.unicode": "Grüße, 世界 🧶 \"quoted\"",
    "text.empty": "",
    truth: true,
    untruth: false,
    integer: 42,
    "integer.negative": -7,
    double: 0.125,
    "list.texts": ["a", "b", ""],
    "list.integers": [1, -2, 3],
    "list.truths": [true, false],
    "one.too.many": 1,
  });
  server.addEvent("cache.miss");
  server.addEvent("retry", { attempt: 2, why: "timeout" });
  const within = trace.setSpan(context.active(), server);
  for (const [name, kind] of [["SELECT", SpanKind.CLIENT], ["send", SpanKind.PRODUCER], ["take", SpanKind.CONSUMER], ["inside", SpanKind.INTERNAL]]) {
    tracer.startSpan(name, { kind }, within).setStatus({ code: SpanStatusCode.OK }).end();
  }
  server.setStatus({ code: SpanStatusCode.ERROR, message: "no such cart" }).end();
  tracer.startSpan("continued from elsewhere", {}, trace.setSpanContext(context.active(), linked)).end();
}

/** A span in the words of the viewer's API. */
function described(span) {
  const { traceId, spanId, traceState } = span.spanContext();
  return {
    trace_id: traceId,
    span_id: spanId,
    parent_span_id: span.parentSpanContext?.spanId ?? null,
    service: "from-js",
    name: span.name,
    kind: SpanKind[span.kind],
    start_time_unix_nano: nanoseconds(span.startTime),
    end_time_unix_nano: nanoseconds(span.endTime),
    status: { code: SpanStatusCode[span.status.code], message: span.status.message ?? "" },
    attributes: span.attributes,
    events: span.events.map((event) => ({
      name: event.name,
      time_unix_nano: nanoseconds(event.time),
      attributes: event.attributes ?? {},
    })),
    links: span.links.map((link) => ({
      trace_id: link.context.traceId,
      span_id: link.context.spanId,
      trace_state: link.context.traceState?.serialize() ?? "",
      attributes: link.attributes ?? {},
    })),
    trace_state: traceState?.serialize() ?? "",
    dropped_attributes_count: span.droppedAttributesCount,
  };
}

function nanoseconds([seconds, nanoseconds]) {
  return (BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds)).toString();
}
