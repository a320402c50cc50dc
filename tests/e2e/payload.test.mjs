/** The bytes that leave browser and server: read by OpenTelemetry's own messages, they say exactly what was recorded. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { checkOut, openPage, startBrowser } from "./support/browser.mjs";
import { startShop, startViewer } from "./support/processes.mjs";
import { startRecorder } from "./support/recorder.mjs";
import { page as html, startSite } from "./support/site.mjs";
import { spansOf, until } from "./support/viewer.mjs";

/** Characters of a text value that the server keeps, and attributes of a span. */
const VALUE_LENGTH = 9;
const ATTRIBUTE_COUNT = 5;

let viewer, recorder, shop, site, browser, page, plain;

before(async () => {
  viewer = await startViewer();
  recorder = await startRecorder(viewer, "payload");
  shop = await startShop(recorder.url, {
    OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: String(VALUE_LENGTH),
    OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: String(ATTRIBUTE_COUNT),
  });
  browser = await startBrowser();
  page = await openPage(browser, shop.url);
  site = await startSite({
    "/": html(`
      import * as clewline from "/clewline/index.mjs";
      const tracer = clewline.init({ serviceName: "plain-page", endpoint: ${JSON.stringify(recorder.url)} });
      Object.assign(window, { clewline, tracer });`),
  });
  plain = await openPage(browser, site.url);
});

after(async () => {
  await browser?.close();
  await site?.end();
  await shop?.end();
  await recorder?.end();
  await viewer?.end();
});

/** Runs `record(tracer, start, { SpanKind, SpanStatusCode })` in a page, and answers what arrived of the spans it answers. */
async function recordInPage(record) {
  const { contexts, start } = await plain.evaluate(`(async (record) => {
    const start = Date.now();
    const spans = record(tracer, start, clewline);
    await tracer.flush();
    return { contexts: spans.map((span) => span.spanContext()), start };
  })(${record})`);
  const decoded = await until("the page's spans", async () => {
    const all = await recorder.decoded("browser");
    const mine = contexts.map(({ spanId }) => all.find(({ span }) => span.spanId === spanId));
    return mine.includes(undefined) ? undefined : mine;
  });
  return { contexts, start, decoded, spans: decoded.map(({ span }) => span) };
}

const nanos = (milliseconds) => `${milliseconds}000000`;
const attribute = (key, value) => ({ key, value });
const text = (stringValue) => ({ stringValue });
/** The order of attributes means nothing (a value that is set again moves); their number does. */
const byKey = (attributes) => attributes.toSorted((one, other) => (one.key < other.key ? -1 : 1));
const integer = (intValue) => ({ intValue: String(intValue) });

test("browser: every kind of value, event, link and status, field by field", async () => {
  const { contexts, start, decoded, spans } = await recordInPage((tracer, start, { SpanKind, SpanStatusCode }) => {
    const parent = tracer.startSpan("parent", { startTime: start, parent: null });
    const span = tracer.startSpan("every type · Ω 🧶", { kind: SpanKind.PRODUCER, parent, startTime: start + 1 });
    span.setAttributes({
      text: "Ariadne’s 🧶", empty: "", integer: 42, negative: -7, largest: Number.MAX_SAFE_INTEGER, double: 1.5, huge: 2 ** 60,
      yes: true, no: false, texts: ["α", "β"], integers: [1, -2], mixed: [true, 0.5, "x"], none: [], absent: null,
    });
    span.setAttribute("integer", 43);
    span.addEvent("thread picked up", { turns: 3, "to the left": false }, start + 2);
    span.addLink({ context: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", attributes: { why: "before" } });
    const error = new TypeError("the thread is torn ✂");
    error.stack = "TypeError: the thread is torn ✂\n    at labyrinth";
    span.recordException(error, start + 3);
    span.setStatus({ code: SpanStatusCode.ERROR, message: "lost — in here" });
    span.end(start + 4);
    parent.end(start + 5);
    return [span, parent];
  });
  assert.deepEqual({ ...spans[0], attributes: byKey(spans[0].attributes) }, {
    traceId: contexts[0].traceId, spanId: contexts[0].spanId, parentSpanId: contexts[1].spanId, traceState: "",
    // Sampled, random id, and: the parent is known not to be remote.
    flags: 0x103,
    name: "every type · Ω 🧶", kind: 4, startTimeUnixNano: nanos(start + 1), endTimeUnixNano: nanos(start + 4),
    attributes: byKey([
      attribute("text", text("Ariadne’s 🧶")), attribute("empty", text("")), attribute("integer", integer(43)),
      attribute("negative", integer(-7)), attribute("largest", integer("9007199254740991")),
      attribute("double", { doubleValue: 1.5 }), attribute("huge", { doubleValue: 2 ** 60 }),
      attribute("yes", { boolValue: true }), attribute("no", { boolValue: false }),
      attribute("texts", { arrayValue: { values: [text("α"), text("β")] } }),
      attribute("integers", { arrayValue: { values: [integer(1), integer(-2)] } }),
      attribute("mixed", { arrayValue: { values: [{ boolValue: true }, { doubleValue: 0.5 }, text("x")] } }),
      attribute("none", { arrayValue: { values: [] } }),
    ]),
    droppedAttributesCount: 0,
    events: [
      {
        timeUnixNano: nanos(start + 2), name: "thread picked up", droppedAttributesCount: 0,
        attributes: [attribute("turns", integer(3)), attribute("to the left", { boolValue: false })],
      },
      {
        timeUnixNano: nanos(start + 3), name: "exception", droppedAttributesCount: 0,
        attributes: [
          attribute("exception.message", text("the thread is torn ✂")), attribute("exception.type", text("TypeError")),
          attribute("exception.stacktrace", text("TypeError: the thread is torn ✂\n    at labyrinth")),
        ],
      },
    ],
    droppedEventsCount: 0,
    links: [{
      traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", traceState: "", droppedAttributesCount: 0,
      flags: 0x301, attributes: [attribute("why", text("before"))],
    }],
    droppedLinksCount: 0,
    status: { code: 2, message: "lost — in here" },
  });
  const { resource, scope } = decoded[0];
  assert.deepEqual(resource.attributes.find(({ key }) => key === "service.name"), attribute("service.name", text("plain-page")));
  assert.equal(resource.droppedAttributesCount, 0);
  assert.equal(scope.name, "clewline");
  assert.equal(spans[1].parentSpanId, "");
});

test("browser: what exceeds a limit is cut between characters, or counted", async () => {
  const { spans: [many, long, odd] } = await recordInPage((tracer, start) => {
    const many = tracer.startSpan("many", { parent: null, startTime: start });
    for (let index = 0; index < 131; index += 1) many.setAttribute(`a${index}`, index);
    for (let index = 0; index < 130; index += 1) many.addEvent(`e${index}`, {}, start);
    const link = `00-${many.spanContext().traceId}-${many.spanContext().spanId}-01`;
    for (let index = 0; index < 129; index += 1) many.addLink({ context: link });
    many.end();
    const long = tracer.startSpan("long", { parent: null });
    // 3 bytes each: 2048 characters are 6144 bytes.
    long.setAttribute("text", "線".repeat(2047) + "é🧶");
    long.end();
    const odd = tracer.startSpan("odd", { parent: null });
    odd.setAttributes({ object: { no: "value" }, symbol: Symbol("no value"), fine: 1 });
    odd.addEvent("crowded", Object.fromEntries(Array.from({ length: 133 }, (_, index) => [`a${index}`, true])), start);
    odd.end();
    return [many, long, odd];
  });
  assert.deepEqual(many.attributes, Array.from({ length: 128 }, (_, index) => attribute(`a${index}`, integer(index))));
  assert.deepEqual(many.events.map((event) => event.name), Array.from({ length: 128 }, (_, index) => `e${index}`));
  assert.equal(many.links.length, 128);
  assert.deepEqual([many.droppedAttributesCount, many.droppedEventsCount, many.droppedLinksCount], [3, 2, 1]);
  assert.deepEqual(long.attributes, [attribute("text", text("線".repeat(2047) + "é"))]);
  assert.equal(long.droppedAttributesCount, 0);
  assert.deepEqual(odd.attributes, [attribute("fine", integer(1))]);
  assert.equal(odd.droppedAttributesCount, 2);
  assert.equal(odd.events[0].attributes.length, 128);
  assert.equal(odd.events[0].droppedAttributesCount, 5);
});

test("server: what exceeds a limit is cut between characters, or counted", async () => {
  const { traceId } = await checkOut(page);
  const names = ["reserve stock", "POST /api/checkout", "SELECT stock", "charge card"];
  await spansOf(viewer, traceId, names.map((name) => `shop: ${name}`));
  const decoded = (await recorder.decoded("server")).filter(({ span }) => span.traceId === traceId);
  const [stock, server, query, card] = names.map((name) => decoded.find(({ span }) => span.name === name));

  const { attributes } = server.resource;
  const resource = Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
  assert.equal(resource["service.name"], "shop");
  assert.equal(server.span.kind, 2);
  assert.equal(query.span.kind, 3);
  assert.equal(stock.span.parentSpanId, server.span.spanId);
  assert.deepEqual(stock.span.status ?? { code: 0, message: "" }, { code: 0, message: "" });

  const items = stock.span.events.map((event) => event.attributes.find(({ key }) => key === "item").value.stringValue);
  // The ninth character follows an apostrophe of three bytes.
  assert.deepEqual(items, ["Ariadne’s", "map of th", "torch"]);
  assert.deepEqual(query.span.attributes, [
    attribute("db.system.name", text("postgresq")), attribute("db.collection.name", text("stock")),
    attribute("db.query.text", text("SELECT id")),
  ]);
  assert.deepEqual(card.span.attributes, [attribute("payment.total_cents", integer(5540))]);

  assert.deepEqual(server.span.attributes, [
    attribute("http.request.method", text("POST")), attribute("http.route", text("/api/chec")),
    attribute("url.path", text("/api/chec")), attribute("url.scheme", text("http")),
    attribute("network.protocol.version", text("1.1")),
  ]);
  // network.peer.address and .port, server.address and .port, client.address, user_agent.original, tenant_id and
  // http.response.status_code.
  assert.equal(server.span.droppedAttributesCount, 8);
});

test("both ends send protobuf", () => {
  const types = new Map(recorder.requests.map((request) => [request.from, request.type]));
  assert.deepEqual(Object.fromEntries(types), { browser: "application/x-protobuf", server: "application/x-protobuf" });
});
