/** Uses the package as its declarations allow, and shows what they refuse. */

import { init, SpanKind, SpanStatusCode, stats } from "clewline";
import type { Attributes, InitOptions, Instrumentation, Span, SpanContext, Stats, Tracer } from "clewline";
import { provideApi } from "clewline/api";
import { traceDocumentLoad } from "clewline/document-load";
import { init as initAnywhere } from "clewline/fallback";
import { traceFetch } from "clewline/fetch";
import { sendGzip } from "clewline/gzip";
import { sendJson, toJson } from "clewline/json";
import { keepOffline } from "clewline/offline";
import { browser, session } from "clewline/session";
import { init as initSlim, SpanKind as SlimKind } from "clewline/slim";
import type { Tracer as SlimTracer } from "clewline/slim";
import { traceWeb } from "clewline/web";
import { traceXhr } from "clewline/xhr";

const counting: Instrumentation = () => {
  const timer = setInterval(() => {}, 1000);
  return () => clearInterval(timer);
};

const options: InitOptions = {
  serviceName: "types",
  endpoint: "https://collector.example.com",
  headers: { "x-api-key": "secret" },
  resource: { "service.version": "1.4.0", shards: [1, 2], ...session(), ...browser() },
  sampleRatio: 0.25,
  flushInterval: 500,
  instrumentations: [
    counting,
    traceWeb({ propagateTo: ["https://api.example.com", /^https:\/\/[a-z]+\.example\.com\//, (url) => url.port === "8080"], oneTrace: true }),
    traceFetch({ recordQuery: true }),
    traceXhr(),
    traceDocumentLoad({ resources: false }),
    keepOffline({ name: "spans", most: 10 }),
    sendGzip(),
    sendJson(),
    provideApi(),
  ],
};

export const tracer: Tracer = init(options);
export const later: Promise<Tracer> = initAnywhere(options);

/** Not every platform's types know WebAssembly. */
export function slim(module: object): SlimTracer {
  const same: Tracer = initSlim(options, module);
  same.startSpan("slim", { kind: SlimKind.SERVER }).end();
  return same;
}

const attributes: Attributes = { text: "a", number: 1.5, flag: true, list: ["a", 1, null], none: undefined };
const context: SpanContext = { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" };

export function spans(): string {
  const span: Span = tracer
    .startSpan("one", { kind: SpanKind.CLIENT, attributes, links: [{ context }, { context: "00-…", attributes }], parent: null, startTime: new Date() })
    .setAttribute("key", ["value"])
    .setAttributes({ a: 1 })
    .addEvent("event", attributes, Date.now())
    .addLink({ context })
    .recordException(new Error("no"))
    .setStatus({ code: SpanStatusCode.ERROR, message: "no" })
    .updateName("two");
  const length: number = tracer.startActiveSpan("inner", { parent: span }, (inner) => inner.spanContext().traceId.length);
  const value: Promise<number> = tracer.startActiveSpan("later", async () => length);
  const headers: Headers = span.inject(new Headers());
  const plain = span.inject({ accept: "text/plain" });
  using block = tracer.startSpan("block");
  block.run((same) => same.end());
  span.end();
  const all: Stats = stats();
  void value;
  return `${headers.get("traceparent")} ${plain.accept} ${all.delivered} ${toJson(new Uint8Array())} ${tracer.activeSpan()?.traceparent()}`;
}

// @ts-expect-error A name is required.
init({});
// @ts-expect-error Without its module it cannot start.
initSlim({ serviceName: "types" });
// @ts-expect-error An address is no module.
initSlim({ serviceName: "types" }, "/core.wasm");
// @ts-expect-error There is no such option.
init({ serviceName: "types", serviceVersion: "1" });
// @ts-expect-error An attribute is no object.
tracer.startSpan("three", { attributes: { object: { no: "value" } } });
// @ts-expect-error A kind is one of five.
tracer.startSpan("four", { kind: 7 });
// @ts-expect-error What a span was given cannot be read.
tracer.startSpan("five").name;
