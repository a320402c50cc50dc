/** Spans: what is recorded arrives, field by field, and what is refused is counted. */

import assert from "node:assert/strict";
import test from "node:test";

import { balance, load, pending, start, withGlobals } from "./support.mjs";

const { SpanKind, SpanStatusCode, init } = await load("index.mjs");
const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

test("every field arrives as it was recorded", async (t) => {
  const { tracer, network } = await start(t, { resource: { "service.version": "1.2", ports: [80, 443] } });
  const other = tracer.startSpan("other", { parent: null });
  const span = tracer.startSpan("näme", {
    kind: SpanKind.PRODUCER,
    parent: PARENT,
    startTime: 1_700_000_000_001.25,
    attributes: { text: "grün", long: "x".repeat(60), integer: 42, negative: -1, double: 0.5, huge: 1e300, yes: true, none: null, missing: undefined },
    links: [{ context: other, attributes: { why: "because" } }],
  });
  span.setAttribute("list", ["a", 1, 1.5, false, null]).setAttribute("text", "blau");
  span.setAttribute("object", {}).setAttribute("symbol", Symbol("s")).setAttribute("nested", [[1]]);
  span.addEvent("happened", { size: 3, odd: () => {} }, new Date(1_700_000_000_002));
  span.recordException(new RangeError("too far"), 1_700_000_000_003);
  span.recordException("just text");
  span.setStatus({ code: SpanStatusCode.ERROR, message: "broken" });
  span.updateName("new näme");
  span.end(1_700_000_000_004);
  other.end();
  await tracer.flush();

  const [{ decoded }] = network.exports();
  assert.deepEqual(decoded.resource, {
    "telemetry.sdk.name": "clewline",
    "telemetry.sdk.language": "webjs",
    "telemetry.sdk.version": "0.1.0",
    "service.name": "test",
    "service.version": "1.2",
    ports: [{ int: 80 }, { int: 443 }],
  });
  const found = decoded.spans[0];
  assert.equal(found.name, "new näme");
  assert.equal(found.kind, 4);
  assert.equal(found.traceId, PARENT.slice(3, 35));
  assert.equal(found.parentSpanId, PARENT.slice(36, 52));
  assert.equal(found.start, 1_700_000_000_001_250_000n);
  assert.equal(found.end, 1_700_000_000_004_000_000n);
  assert.deepEqual(found.attributes, {
    text: "blau",
    long: "x".repeat(60),
    integer: { int: 42 },
    negative: { int: -1 },
    double: 0.5,
    huge: 1e300,
    yes: true,
    list: ["a", { int: 1 }, 1.5, false, null],
  });
  assert.equal(found.droppedAttributes, 3);
  const [event, exception, textual] = found.events;
  assert.deepEqual([event.name, event.time, event.attributes, event.droppedAttributes], ["happened", 1_700_000_000_002_000_000n, { size: { int: 3 } }, 1]);
  assert.equal(exception.name, "exception");
  assert.equal(exception.attributes["exception.type"], "RangeError");
  assert.equal(exception.attributes["exception.message"], "too far");
  assert.match(exception.attributes["exception.stacktrace"], /^RangeError: too far\n/);
  assert.deepEqual(textual.attributes, { "exception.message": "just text" });
  const { traceId, spanId } = other.spanContext();
  assert.deepEqual(found.links, [{ traceId, spanId, attributes: { why: "because" } }]);
  assert.deepEqual(found.status, { code: 2, message: "broken" });
});

/** What is revoked throws whatever is asked of it. */
function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}
const throwing = (member) => Object.defineProperty(new Error("readable"), member, { get() { throw new Error("unreadable"); } });

test("odd links, parents and outcomes: nothing throws, and what names no span is counted", async (t) => {
  const { tracer, network } = await start(t);
  const nobody = [undefined, null, {}, 5, true, Symbol("s"), { traceId: "0af7" }, { traceId: Symbol("s"), spanId: 1n }, { traceFlags: 1n }, revoked({}), "", "garbage",
    { spanContext: 5 }, { spanContext() { throw new Error("unreadable"); } }, { spanContext: () => undefined }, { spanContext: () => null }];
  const span = tracer.startSpan("s");
  for (const context of nobody) span.addLink({ context, attributes: { taken: false } });
  for (const link of [undefined, null, 5, {}]) span.addLink(link);
  span.addLink({ context: PARENT, attributes: null }).setStatus().setStatus(null).setStatus({}).setStatus(5);
  span.end();
  assert.equal(tracer.stats().malformedParents, nobody.length + 4);
  const given = nobody.filter(Boolean);
  for (const parent of given) tracer.startSpan("root", { parent, links: [undefined, { context: parent }] }).end();
  tracer.startSpan("root", { parent: null, links: null, attributes: null }).end();
  assert.equal(tracer.stats().malformedParents, nobody.length + 4 + 3 * given.length);
  await tracer.flush();
  const [first, ...others] = network.spans();
  assert.deepEqual([first.links.map(({ traceId }) => traceId), first.status], [[PARENT.slice(3, 35)], { code: 0, message: "" }]);
  assert.ok(others.length === given.length + 1 && others.every(({ parentSpanId, links }) => !parentSpanId && !links.length));
});

test("odd values: nothing throws, numbers are as OpenTelemetry-JS sends them, and what has no form is counted", async (t) => {
  const { tracer, network } = await start(t);
  const taken = [
    ["not a number", NaN, NaN],
    ["endless", -Infinity, -Infinity],
    ["minus zero", -0, { int: 0 }],
    ["greatest safe", 2 ** 53 - 1, { int: 2 ** 53 - 1 }],
    ["beyond safe", 2 ** 53, 2 ** 53],
    ["half a pair", "a\ud800b", "a\ufffdb"],
    ["long and half a pair", "\udfff".padStart(60, "x"), "\ufffd".padStart(60, "x")],
    ["nothing", "", ""],
    ["zero byte", "a\0b", "a\0b"],
    ["holes", [1, , "c"], [{ int: 1 }, null, "c"]],
    ["empty", [], []],
    ["of an array", new Proxy(["x"], {}), ["x"]],
    ["of a class", new (class extends Array {})("x", "y"), ["x", "y"]],
  ];
  const circle = [];
  circle.push(circle);
  const refused = [
    1n, 2n ** 80n, Symbol("s"), () => {}, {}, new Date(), new Map(), new String("boxed"), Object.create(null), new Uint8Array(2), new ArrayBuffer(2),
    [[1]], [{}], [1n], [Symbol("s")], circle, [revoked([])], Array(5000).fill(1), Array(2 ** 32 - 1), revoked({}), revoked([]),
    new Proxy([], { get() { throw new Error("unreadable"); } }), { get length() { throw new Error("unreadable"); } },
  ];
  const span = tracer.startSpan("s");
  for (const [key, value] of taken) span.setAttribute(key, value);
  for (const value of refused) span.setAttribute("refused", value);
  span.setAttributes({ first: 1, refused: revoked([]), last: 2 });
  span.addEvent("e", { refused: revoked([]), taken: true });
  span.setAttribute(Symbol("key"), 1).setAttribute(Object.create(null), 2).updateName(Object.create(null)).setStatus({ code: 2, message: Symbol("broken") });
  span.end();
  tracer.startSpan(Symbol("name"), { attributes: Object.fromEntries(refused.map((value, index) => [index, value])) }).end();
  await tracer.flush();

  const [found, other] = network.spans();
  const { first, last, ["Symbol(key)"]: symbol, object, ...attributes } = found.attributes;
  assert.deepEqual(attributes, Object.fromEntries(taken.map(([key, , value]) => [key, value])));
  assert.deepEqual([first, last, symbol, object], [1, 2, 1, 2].map((int) => ({ int })));
  assert.equal(found.droppedAttributes, refused.length + 1);
  assert.deepEqual([found.events[0].attributes, found.events[0].droppedAttributes], [{ taken: true }, 1]);
  assert.deepEqual([found.name, found.status], ["object", { code: 2, message: "Symbol(broken)" }]);
  assert.deepEqual([other.name, other.attributes, other.droppedAttributes], ["Symbol(name)", {}, refused.length]);
});

test("an exception that refuses to be looked at is recorded as what it is", async (t) => {
  const { tracer, network } = await start(t);
  const table = [
    [throwing("stack"), { "exception.message": "object" }],
    [throwing("message"), { "exception.message": "object" }],
    [revoked({}), { "exception.message": "object" }],
    [revoked(() => {}), { "exception.message": "function" }],
    [Object.create(null), { "exception.message": "object" }],
    [Object.assign(Object.create(null), { name: "Bare", message: "as it is" }), { "exception.type": "Bare", "exception.message": "as it is" }],
    [{ toString() { throw new Error("no text"); } }, { "exception.message": "object" }],
    [{ name: "Odd", message: { toString: () => ({}) } }, { "exception.type": "Odd", "exception.message": "object" }],
    [Symbol("s"), { "exception.message": "Symbol(s)" }],
    [10n, { "exception.message": "10" }],
  ];
  const span = tracer.startSpan("s");
  for (const [exception] of table) span.recordException(exception);
  span.end();
  await tracer.flush();
  assert.deepEqual(network.spans()[0].events.map(({ attributes }) => attributes), table.map(([, expected]) => expected));
});

test("a span that is said to end before it starts takes no time", async (t) => {
  const { tracer, network } = await start(t);
  tracer.startSpan("future", { startTime: Date.now() + 60_000 }).end();
  tracer.startSpan("past", { startTime: 1_700_000_000_000 }).end(1_600_000_000_000);
  await tracer.flush();
  const [future, past] = network.spans();
  assert.deepEqual([future.end - future.start, past.start, past.end], [0n, 1_700_000_000_000_000_000n, 1_700_000_000_000_000_000n]);
});

test("multi-byte text is cut at a character, and what no longer fits is counted", async (t) => {
  const { tracer, network } = await start(t);
  const greek = tracer.startSpan("s", { attributes: { text: "αβ".repeat(5000) } });
  greek.end();
  const span = tracer.startSpan("s", { attributes: { emoji: "😀".repeat(5000), ascii: "a".repeat(100_000) } });
  for (let index = 0; index < 200; index++) span.setAttribute(`key.${index}`, index);
  span.addEvent("e", Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`k${index}`, "y".repeat(5000)])));
  span.end();
  const wide = tracer.startSpan("w".repeat(5000));
  wide.end();
  await tracer.flush();
  const [cut, found, named] = network.spans();
  assert.deepEqual([cut.attributes, cut.droppedAttributes], [{ text: "αβ".repeat(1024) }, 0]);
  assert.equal(named.name, "w".repeat(1024));
  assert.equal(Object.keys(found.attributes).length + found.droppedAttributes, 202);
  assert.ok(found.droppedAttributes >= 74, "128 attributes at most");
  const [event] = found.events;
  assert.equal(Object.keys(event.attributes).length + event.droppedAttributes, 100);
});

test("context: active, nested, explicit, and after the end", async (t) => {
  const { tracer, network } = await start(t);
  assert.equal(tracer.activeSpan(), undefined);
  const answer = tracer.startActiveSpan("outer", (outer) => {
    assert.equal(tracer.activeSpan(), outer);
    const inner = tracer.startSpan("inner");
    assert.throws(() => inner.run(() => { throw new Error("passes through"); }), /passes through/);
    assert.equal(tracer.activeSpan(), outer);
    tracer.startActiveSpan("root", { parent: null }, (root) => root.end());
    inner.end();
    outer.end();
    return outer;
  });
  const late = tracer.startSpan("late", { parent: answer });
  late.end();
  const { traceId, spanId, traceFlags } = answer.spanContext();
  assert.equal(answer.traceparent(), `00-${traceId}-${spanId}-0${traceFlags}`);
  assert.equal(answer.isRecording(), false);
  answer.setAttribute("ignored", 1).end();
  await tracer.flush();
  const byName = Object.fromEntries(network.spans().map((span) => [span.name, span]));
  assert.deepEqual(Object.keys(byName).sort(), ["inner", "late", "outer", "root"]);
  assert.equal(byName.inner.parentSpanId, byName.outer.spanId);
  assert.equal(byName.late.parentSpanId, byName.outer.spanId);
  assert.equal(byName.root.parentSpanId, "");
  assert.notEqual(byName.root.traceId, byName.outer.traceId);
  assert.deepEqual(byName.outer.attributes, {});
  assert.equal(tracer.stats().staleHandles, 0);
});

test("headers for requests by hand", async (t) => {
  const { tracer } = await start(t);
  const span = tracer.startSpan("s");
  assert.deepEqual(span.inject(), { traceparent: span.traceparent() });
  assert.equal(span.inject(new Headers()).get("traceparent"), span.traceparent());
  assert.deepEqual(span.inject({ Traceparent: "mine" }), { Traceparent: "mine" });
  assert.equal(span.inject(new Headers({ traceparent: "mine" })).get("traceparent"), "mine");
  span.run(() => assert.deepEqual(tracer.activeSpan().inject(), { traceparent: span.traceparent() }));
  span.end();
});

test("malformed parents begin a new trace and are counted", async (t) => {
  const { tracer, network } = await start(t);
  for (const parent of ["nonsense", PARENT.toUpperCase(), { traceId: "0".repeat(32), spanId: "1".repeat(16) }, {}, 7]) {
    tracer.startSpan("s", { parent }).end();
  }
  tracer.startSpan("good", { parent: { traceId: "1".repeat(32), spanId: "2".repeat(16), traceFlags: 1 } }).end();
  await tracer.flush();
  assert.deepEqual(network.spans().map((span) => span.parentSpanId), ["", "", "", "", "", "2".repeat(16)]);
  assert.equal(tracer.stats().malformedParents, 5);
});

test("what is not sampled costs no span and still has a context", async (t) => {
  const { tracer, network } = await start(t, { sampleRatio: 0 });
  const root = tracer.startSpan("root", { attributes: { a: 1 } });
  const child = tracer.startSpan("child", { parent: root });
  assert.equal(root.isRecording(), false);
  assert.match(root.traceparent(), /-02$/);
  assert.equal(child.spanContext().traceId, root.spanContext().traceId);
  child.end();
  root.end();
  const sampled = tracer.startSpan("sampled elsewhere", { parent: PARENT });
  assert.equal(sampled.isRecording(), true);
  sampled.end();
  await tracer.flush();
  const [found, ...others] = network.spans();
  assert.equal(found.name, "sampled elsewhere");
  assert.equal(others.length, 0);
  assert.ok(found.start > 1_700_000_000_000_000_000n && found.end >= found.start, "it read the clock after all");
  assert.equal(tracer.stats().notSampled, 2);
});

test("half of all traces means about half of them, whole", async (t) => {
  const { tracer } = await start(t, { sampleRatio: 0.5 });
  for (let index = 0; index < 1000; index++) {
    const root = tracer.startSpan("root");
    const child = tracer.startSpan("child", { parent: root });
    assert.equal(child.isRecording(), root.isRecording());
    child.end();
    root.end();
  }
  const { started, notSampled } = tracer.stats();
  assert.equal(started + notSampled, 2000);
  assert.ok(started > 800 && started < 1200, `${started} of 2000`);
});

test("a clock reading at the start and one at the end, and none for what is not sampled", async (t) => {
  let readings = 0;
  const real = performance;
  withGlobals(t, { performance: { now: () => (readings++, real.now()) } });
  const { tracer } = await start(t);
  tracer.startSpan("wakes the timer").end();
  readings = 0;
  tracer.startSpan("s", { attributes: { a: 1 } }).end();
  assert.equal(readings, 2);
  await tracer.shutdown();
  const next = init({ serviceName: "s", sampleRatio: 0 });
  t.after(() => next.shutdown());
  readings = 0;
  next.startSpan("child", { parent: next.startSpan("root") }).end();
  assert.equal(readings, 0);
});

test("the ledger balances: live, refused, abandoned, delivered", async (t) => {
  const { tracer } = await start(t);
  const leaked = Array.from({ length: 2100 }, () => tracer.startSpan("leaked"));
  assert.equal(tracer.stats().live, 2048);
  assert.equal(tracer.stats().abandoned, 52);
  leaked[0].end();
  assert.equal(tracer.stats().staleHandles, 1, "it was abandoned, which its owner cannot know");
  for (let index = 0; index < 400; index++) tracer.startSpan("big", { attributes: { text: "x".repeat(2000) } }).end();
  const before = tracer.stats();
  assert.ok(before.batchFull > 100, `${before.batchFull}`);
  assert.equal(balance(before), before.started);
  await tracer.flush();
  const after = tracer.stats();
  assert.equal(pending(tracer), 0);
  assert.equal(balance(after), after.started);
  assert.equal(after.delivered, 400 - after.batchFull);
});

test("names and keys beyond the table still arrive", async (t) => {
  const { tracer, network } = await start(t);
  for (let index = 0; index < 700; index++) {
    const span = tracer.startSpan(`name ${index}`, { attributes: { [`key ${index}`]: `value ${index}` } });
    span.addEvent(`event ${index}`, { [`event key ${index}`]: index });
    span.end();
    if (index % 100 === 99) await tracer.flush();
  }
  const spans = network.spans();
  assert.equal(spans.length, 700);
  for (const [index, span] of spans.entries()) {
    assert.equal(span.name, `name ${index}`);
    assert.deepEqual(span.attributes, { [`key ${index}`]: `value ${index}` });
    assert.deepEqual([span.events[0].name, span.events[0].attributes], [`event ${index}`, { [`event key ${index}`]: { int: index } }]);
  }
});

test("using ends the span", async (t) => {
  const { tracer, network } = await start(t);
  const span = tracer.startSpan("s");
  span[Symbol.dispose ?? Symbol.for("Symbol.dispose")]();
  await tracer.flush();
  assert.equal(network.spans().length, 1);
});
