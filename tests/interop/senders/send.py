"""Sends spans with opentelemetry-python to an OTLP receiver, every way it can, and prints for each way what it recorded."""

import json
import sys

from grpc import Compression as GrpcCompression
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState


def record(tracer):
    linked = SpanContext(
        trace_id=0x0AF7651916CD43DD8448EB211C80319C,
        span_id=0xB7AD6B7169203331,
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
        trace_state=TraceState([("vendor", "a1")]),
    )
    server = tracer.start_span("GET /cart/{id}", kind=SpanKind.SERVER, links=[Link(linked, {"reason": "batch"})])
    server.set_attributes(
        {
            "text.unicode": 'Grüße, 世界 🧶 "quoted"',
            "text.empty": "",
            "truth": True,
            "untruth": False,
            "integer": 42,
            "integer.least": -(2**63),
            "double": 0.125,
            "double.whole": 3.0,
            "list.texts": ["a", "b", ""],
            "list.integers": [1, -2, 2**63 - 1],
        }
    )
    server.add_event("cache.miss")
    server.add_event("retry", {"attempt": 2, "why": "timeout"})
    within = trace.set_span_in_context(server)
    for name, kind in [
        ("SELECT", SpanKind.CLIENT),
        ("send", SpanKind.PRODUCER),
        ("take", SpanKind.CONSUMER),
        ("inside", SpanKind.INTERNAL),
    ]:
        span = tracer.start_span(name, context=within, kind=kind)
        span.set_status(Status(StatusCode.OK))
        span.end()
    server.set_status(Status(StatusCode.ERROR, "no such cart"))
    server.end()
    tracer.start_span("continued from elsewhere", context=trace.set_span_in_context(NonRecordingSpan(linked))).end()


def described(span):
    """A span in the words of the viewer's API."""
    return {
        "trace_id": f"{span.context.trace_id:032x}",
        "span_id": f"{span.context.span_id:016x}",
        "parent_span_id": f"{span.parent.span_id:016x}" if span.parent else None,
        "service": "from-python",
        "name": span.name,
        "kind": span.kind.name,
        "start_time_unix_nano": str(span.start_time),
        "end_time_unix_nano": str(span.end_time),
        "status": {"code": span.status.status_code.name, "message": span.status.description or ""},
        "attributes": values(span.attributes),
        "events": [
            {"name": event.name, "time_unix_nano": str(event.timestamp), "attributes": values(event.attributes)}
            for event in span.events
        ],
        "links": [
            {
                "trace_id": f"{link.context.trace_id:032x}",
                "span_id": f"{link.context.span_id:016x}",
                # This exporter leaves the link's tracestate out.
                "trace_state": "",
                "attributes": values(link.attributes),
            }
            for link in span.links
        ],
        "trace_state": span.context.trace_state.to_header(),
        "dropped_attributes_count": span.dropped_attributes,
    }


def values(attributes):
    """The API writes integers beyond 2^53 as text, for readers that would round them."""

    def value(one):
        if isinstance(one, (list, tuple)):
            return [value(each) for each in one]
        if isinstance(one, int) and not isinstance(one, bool) and abs(one) > 2**53:
            return str(one)
        return one

    return {key: value(one) for key, one in (attributes or {}).items()}


def main():
    [url] = sys.argv[1:]
    traces = f"{url}/v1/traces"
    for way, exporter in [
        ("grpc", GrpcExporter(endpoint=url, compression=GrpcCompression.NoCompression)),
        ("grpc with gzip", GrpcExporter(endpoint=url, compression=GrpcCompression.Gzip)),
        ("http/protobuf", OTLPSpanExporter(endpoint=traces, compression=Compression.NoCompression)),
        ("http/protobuf with gzip", OTLPSpanExporter(endpoint=traces, compression=Compression.Gzip)),
    ]:
        memory = InMemorySpanExporter()
        provider = TracerProvider(
            resource=Resource.create({"service.name": "from-python"}), span_limits=SpanLimits(max_span_attributes=9)
        )
        provider.add_span_processor(SimpleSpanProcessor(memory))
        provider.add_span_processor(BatchSpanProcessor(exporter))
        record(provider.get_tracer("cart", "1.2.3"))
        provider.force_flush()
        spans = [described(span) for span in memory.get_finished_spans()]
        provider.shutdown()
        print(json.dumps({"way": way, "spans": spans}), flush=True)


main()
