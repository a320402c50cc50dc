/** Clewline behind `@opentelemetry/api`: what the API promises, held against what arrives; first in this process, then by instrumentations that others wrote. */

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { context, createTraceState, defaultTextMapGetter, defaultTextMapSetter, propagation, ProxyTracer, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import { suppressTracing } from "@opentelemetry/core";

import { openPage, startBrowser } from "./support/browser.mjs";
import { HOSTS, makeProgram, run } from "./support/package.mjs";
import { page, startCollector, startSite } from "./support/site.mjs";
import { until } from "./support/viewer.mjs";

const { build } = createRequire(new URL("../../wasm/package.json", import.meta.url))("esbuild");

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const SPAN = "b7ad6b7169203331";
const REMOTE = { traceId: TRACE, spanId: SPAN, traceFlags: TraceFlags.SAMPLED, isRemote: true };
const NOTHING = { traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 };

const PROGRAMS = {
  "contexts.mjs": `
import { context, trace } from "@opentelemetry/api";
import { init } from "clewline";
import { provideApi } from "clewline/api";
const tracer = init({ serviceName: "contexts", endpoint: process.argv[2], instrumentations: [provideApi()] });
const api = trace.getTracer("program");
await Promise.all(["one", "two"].map((name) => api.startActiveSpan(name, async (span) => {
  await new Promise((resolve) => setTimeout(resolve, 10));
  await api.startActiveSpan(name + " inner", async (inner) => { await null; tracer.startSpan(name + " ours").end(); inner.end(); });
  span.end();
})));
await tracer.shutdown();
`,
  "page.mjs": `
import { context, trace } from "@opentelemetry/api";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { FetchInstrumentation } from "@opentelemetry/instrumentation-fetch";
import { init } from "clewline";
import { provideApi } from "clewline/api";
const { collector, listed, early } = window.given;
const register = () => registerInstrumentations({ instrumentations: [new FetchInstrumentation({ propagateTraceHeaderCorsUrls: [listed] })] });
if (early) register();
window.tracer = init({ serviceName: "page", endpoint: collector, flushInterval: 50, instrumentations: [provideApi()] });
if (!early) register();
window.work = async (addresses) => {
  const requests = [];
  trace.getTracer("page").startActiveSpan("work", (span) => {
    for (const address of addresses) requests.push(fetch(address).then((response) => response.text()));
    span.end();
  });
  await Promise.all(requests);
};
`,
  "clewline.mjs": 'export { init } from "clewline"; export { provideApi } from "clewline/api"; export { traceFetch } from "clewline/fetch";',
  // Node's http as a server and as a client, and fetch, all instrumented by others.
  "instrumented.mjs": `
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { HttpInstrumentation } from "@opentelemetry/instrumentation-http";
import { UndiciInstrumentation } from "@opentelemetry/instrumentation-undici";
import { trace } from "@opentelemetry/api";
import { init } from "clewline";
import { provideApi } from "clewline/api";
import { createRequire } from "node:module";

const [collector, site] = process.argv.slice(2);
registerInstrumentations({ instrumentations: [new HttpInstrumentation(), new UndiciInstrumentation()] });
const tracer = init({ serviceName: "instrumented", endpoint: collector, flushInterval: 20, instrumentations: [provideApi()] });
// Instrumentations of this kind patch what is required.
const http = createRequire(import.meta.url)("node:http");
const get = (address) => new Promise((resolve, reject) => {
  http.get(address, (response) => {
    response.on("data", () => {});
    response.on("end", () => resolve(trace.getActiveSpan()?.spanContext().spanId));
  }).on("error", reject);
});
const server = http.createServer((request, response) => {
  let size = 0;
  request.on("data", (chunk) => (size += chunk.length));
  // Told by the socket, and still in the server's span.
  request.on("end", () => trace.getTracer("app").startActiveSpan("handle " + size, async (span) => {
    await get(site + "/by-http");
    await (await fetch(site + "/by-fetch")).text();
    span.end();
    response.end("done");
  }));
}).listen(0, "127.0.0.1", () => tracer.startActiveSpan("start", async (span) => {
  await (await fetch("http://127.0.0.1:" + server.address().port + "/orders", { method: "POST", body: "12345" })).text();
  span.end();
  // Those of the server end when the answer has left.
  while (tracer.stats().live) await new Promise((resolve) => setTimeout(resolve, 5));
  await tracer.shutdown();
  server.close();
  console.log(JSON.stringify(tracer.stats()));
}));
`,
};

let program, clewline, collector, site, stranger, browser, tracer;

before(async () => {
  program = makeProgram(PROGRAMS);
  collector = await startCollector();
  const allowed = { body: "{}", headers: { "access-control-allow-origin": "*", "access-control-allow-headers": "traceparent" } };
  stranger = await startSite({ "/data": allowed });
  const { outputFiles } = await build({ entryPoints: [path.join(program.directory, "page.mjs")], bundle: true, minify: true, format: "esm", platform: "browser", write: false });
  site = await startSite({
    "/by-http": "1",
    "/by-fetch": "2",
    "/data": allowed,
    "/page.mjs": { body: outputFiles[0].text, type: "text/javascript" },
    "/": ({ url }) => page('import "/page.mjs"', `<script>window.given = { collector: "${collector.url}", listed: "${site.url}", early: ${url.endsWith("early")} }</script>`),
  });
  clewline = await import(pathToFileURL(path.join(program.directory, "clewline.mjs")));
});

after(async () => {
  program?.end();
  await browser?.close();
  await Promise.all([collector, site, stranger].map((server) => server?.end()));
});

/** Runs `record` with us as the API's provider; answers its spans by name, and what `record` answered. */
async function recorded(record, options) {
  collector.requests.length = 0;
  tracer = clewline.init({ serviceName: "api", endpoint: collector.url, instrumentations: [clewline.provideApi()], ...options });
  let answer;
  try {
    answer = await record(trace.getTracer("library", "1.2.3"));
  } finally {
    await tracer.shutdown();
  }
  const spans = collector.spans();
  const { started, delivered, live, abandoned } = tracer.stats();
  assert.equal(started, delivered + live + abandoned);
  return { spans, answer, named: (name) => spans.find((span) => span.name === name) };
}

test("all that a span can say arrives, in every overload", async () => {
  const start = Date.now();
  const { spans, named } = await recorded((api) => {
    const other = api.startSpan("other");
    const span = api.startSpan("whole", {
      kind: SpanKind.CLIENT,
      startTime: [Math.floor(start / 1000), (start % 1000) * 1e6],
      attributes: { text: "α", integer: 1, double: 1.5, yes: true, list: ["a", null, undefined, "b"], none: undefined },
      links: [{ context: other.spanContext(), attributes: { why: "before" } }],
    });
    assert.equal(span.isRecording(), true);
    const same = span
      .setAttribute("numbers", [1, 2.5])
      .setAttributes({ text: "β", bad: {}, worse: () => {}, empty: [] })
      .addEvent("bare")
      .addEvent("at", start + 1)
      .addEvent("with", { size: 1 })
      .addEvent("both", { size: 2 }, new Date(start + 2))
      .addLink({ context: REMOTE })
      .addLinks([{ context: other.spanContext() }])
      .setStatus({ code: SpanStatusCode.ERROR, message: null })
      .setStatus({ code: SpanStatusCode.ERROR, message: "broken" })
      .updateName("renamed");
    assert.equal(same, span);
    span.recordException(new RangeError("too far"), [Math.floor(start / 1000), 0]);
    span.recordException({ code: "EPIPE", message: "pipe" });
    span.recordException("text");
    span.end(start + 5);
    assert.equal(span.isRecording(), false);
    span.setAttribute("late", 1).setStatus({ code: SpanStatusCode.OK }).end();
    const page = api.startSpan("page time", { startTime: performance.now() });
    page.end(performance.now());
    other.end();
  });
  const span = named("renamed");
  assert.equal(spans.length, 3);
  const milli = (time) => BigInt(time) * 1_000_000n;
  const near = (time, expected) => assert.ok(time - milli(expected) < 1000n && milli(expected) - time < 1000n, `${time} is not ${expected}`);
  near(span.start, start);
  near(span.end, start + 5);
  assert.equal(span.kind, 3);
  assert.deepEqual(span.attributes, {
    "otel.scope.name": "library",
    "otel.scope.version": "1.2.3",
    text: "β",
    integer: { int: 1 },
    double: 1.5,
    yes: true,
    list: ["a", null, null, "b"],
    numbers: [{ int: 1 }, 2.5],
    empty: [],
  });
  assert.equal(span.droppedAttributes, 2);
  assert.deepEqual(span.events.map(({ name, attributes }) => [name, attributes]).slice(0, 4), [
    ["bare", {}],
    ["at", {}],
    ["with", { size: { int: 1 } }],
    ["both", { size: { int: 2 } }],
  ]);
  near(span.events[1].time, start + 1);
  near(span.events[3].time, start + 2);
  near(span.events[4].time, Math.floor(start / 1000) * 1000);
  assert.deepEqual(span.events.slice(4).map(({ attributes }) => attributes["exception.message"]), ["too far", "pipe", "text"]);
  assert.deepEqual(span.links.map(({ spanId, attributes }) => [spanId, attributes]), [
    [named("other").spanId, { why: "before" }],
    [SPAN, {}],
    [named("other").spanId, {}],
  ]);
  assert.deepEqual(span.status, { code: 2, message: "broken" });
  const { start: began, end } = named("page time");
  assert.ok(end >= began && began > milli(start - 1000) && end < milli(Date.now() + 1000));
});

test("parents: active, given, remote, none, and where tracing is suppressed", async () => {
  const early = trace.getTracer("early");
  assert.ok(early instanceof ProxyTracer);
  assert.equal(early.startSpan("before init").isRecording(), false);
  const { named, spans } = await recorded(async (api) => {
    early.startSpan("by an early tracer").end();
    await api.startActiveSpan("outer", async (outer) => {
      assert.equal(trace.getActiveSpan(), outer);
      await new Promise((resolve) => setTimeout(resolve, 5));
      assert.equal(trace.getActiveSpan(), outer, "through a promise");
      api.startSpan("inner").end();
      api.startSpan("root", { root: true }).end();
      api.startSpan("also a root", {}, ROOT_CONTEXT).end();
      api.startActiveSpan("named by options", { attributes: { a: 1 } }, (span) => span.end());
      api.startActiveSpan("elsewhere", null, trace.setSpanContext(ROOT_CONTEXT, REMOTE), (span) => {
        assert.equal(span.spanContext().traceId, TRACE);
        assert.equal(trace.getActiveSpan(), span);
        span.end();
      });
      assert.throws(() => api.startActiveSpan("throws", (span) => { span.end(); throw new Error("passes"); }), /passes/);
      context.with(suppressTracing(context.active()), () => {
        const span = api.startSpan("suppressed");
        assert.deepEqual([span.isRecording(), span.spanContext()], [false, NOTHING]);
        tracer.startSpan("suppressed for us too").end();
        const carrier = {};
        propagation.inject(context.active(), carrier);
        assert.deepEqual(carrier, {});
      });
      outer.end();
      api.startSpan("after its end", {}, trace.setSpan(ROOT_CONTEXT, outer)).end();
    });
    assert.equal(trace.getActiveSpan(), undefined);
    api.startSpan("below nothing", {}, trace.setSpanContext(ROOT_CONTEXT, NOTHING)).end();
    api.startSpan("below a decision", {}, trace.setSpanContext(ROOT_CONTEXT, { ...REMOTE, traceFlags: 0 })).end();
  });
  const outer = named("outer");
  const parents = Object.fromEntries(spans.map(({ name, parentSpanId }) => [name, parentSpanId]));
  assert.deepEqual(parents, {
    "by an early tracer": "",
    inner: outer.spanId,
    root: "",
    "also a root": "",
    "named by options": outer.spanId,
    elsewhere: SPAN,
    throws: outer.spanId,
    outer: "",
    "after its end": outer.spanId,
    "below nothing": "",
  });
  assert.equal(named("elsewhere").traceId, TRACE);
  assert.equal(tracer.stats().malformedParents, 0);
});

test("our own spans and the API's are one tree, whichever is active", async () => {
  const { named } = await recorded(async (api) => {
    await tracer.startActiveSpan("ours", async (ours) => {
      await null;
      assert.equal(trace.getActiveSpan().spanContext().spanId, ours.spanContext().spanId);
      assert.equal(trace.getActiveSpan(), trace.getActiveSpan());
      trace.getActiveSpan().setAttribute("by", "the API");
      await api.startActiveSpan("theirs", async (theirs) => {
        await null;
        assert.equal(tracer.activeSpan().spanContext().spanId, theirs.spanContext().spanId);
        tracer.startSpan("ours again").end();
        context.with(trace.deleteSpan(context.active()), () => {
          assert.equal(tracer.activeSpan(), undefined);
          tracer.startSpan("nobody's").end();
        });
        theirs.end();
      });
      ours.end();
    });
    context.with(trace.setSpanContext(ROOT_CONTEXT, REMOTE), () => {
      const remote = tracer.activeSpan();
      assert.equal(remote.setAttribute("a", 1).isRecording(), false);
      assert.deepEqual(remote.inject(), { traceparent: `00-${TRACE}-${SPAN}-01` });
      remote.run(() => assert.deepEqual(trace.getActiveSpan().spanContext(), REMOTE));
      tracer.startSpan("below the remote one").end();
    });
  });
  assert.equal(named("ours").attributes.by, "the API");
  assert.equal(named("theirs").parentSpanId, named("ours").spanId);
  assert.equal(named("ours again").parentSpanId, named("theirs").spanId);
  assert.equal(named("nobody's").parentSpanId, "");
  assert.deepEqual([named("below the remote one").parentSpanId, named("below the remote one").traceId], [SPAN, TRACE]);
});

test("a span's context stays readable, however many come after it", async () => {
  await recorded(async (api) => {
    const span = api.startSpan("old");
    span.end();
    for (let index = 0; index < 5000; index++) api.startSpan("young", { root: true }, trace.setSpanContext(ROOT_CONTEXT, { ...REMOTE, traceFlags: 0 })).end();
    const unsampled = Array.from({ length: 5000 }, () => tracer.startSpan("s", { parent: { ...REMOTE, traceFlags: 0 } }));
    assert.equal(unsampled.length, 5000);
    assert.match(span.spanContext().traceId, /[1-9a-f]/);
    await tracer.flush();
  }, { sampleRatio: 0.001 });
});

test("contexts: values, arguments, receivers, functions and emitters that are bound", async () => {
  await recorded(async () => {
    const key = Symbol("key");
    const around = ROOT_CONTEXT.setValue(key, 7);
    const receiver = { name: "receiver" };
    const answer = context.with(around, function (one, two) {
      assert.equal(context.active().getValue(key), 7);
      return [this, one, two];
    }, receiver, 1, 2);
    assert.deepEqual(answer, [receiver, 1, 2]);
    assert.equal(context.active().getValue(key), undefined);
    const bound = context.bind(around, function (one) {
      return [context.active().getValue(key), this, one];
    });
    assert.deepEqual([bound.call(receiver, 3), bound.length], [[7, receiver, 3], 1]);
    assert.equal(context.bind(around, 5), 5);

    const emitter = context.bind(around, new EventEmitter());
    const seen = [];
    const listener = () => seen.push(context.active().getValue(key));
    emitter.on("a", listener);
    emitter.once("b", listener);
    emitter.prependOnceListener("c", listener);
    for (const event of ["a", "a", "b", "b", "c", "c"]) emitter.emit(event);
    assert.deepEqual(seen, [7, 7, 7, 7]);
    emitter.once("d", listener);
    for (const event of ["a", "d"]) emitter.off(event, listener).emit(event);
    assert.deepEqual(seen.length, 4);
    assert.equal(context.bind(around, emitter), emitter);
  });
});

test("headers: what is extracted, and that nothing malformed is", async () => {
  const extract = (carrier) => trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier));
  const { named } = await recorded((api) => {
    const found = extract({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: "a=1,b=2" });
    assert.deepEqual({ ...found, traceState: found.traceState.serialize() }, { ...REMOTE, traceState: "a=1,b=2" });
    assert.equal(extract({ traceparent: `cc-${TRACE}-${SPAN}-ff-later` }).traceFlags, 3, "a later version; only known flags");
    const table = ["", "x", `00-${TRACE}-${SPAN}`, `00-${TRACE}-${SPAN}-1`, `00-${TRACE}-${SPAN}-01-x`, `00-${TRACE.toUpperCase()}-${SPAN}-01`, `ff-${TRACE}-${SPAN}-01`,
      `00-${"0".repeat(32)}-${SPAN}-01`, `00-${TRACE}-${"0".repeat(16)}-01`, `cc-${TRACE}-${SPAN}-01x`, [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`], 7, undefined];
    for (const traceparent of table) assert.equal(extract({ traceparent, tracestate: "a=1" }), undefined, String(traceparent));

    const around = propagation.extract(ROOT_CONTEXT, { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: ["a=1", "b=2"] });
    const span = api.startSpan("child", {}, around);
    const carrier = {};
    propagation.inject(trace.setSpan(ROOT_CONTEXT, span), carrier);
    assert.deepEqual(carrier, { traceparent: `00-${TRACE}-${span.spanContext().spanId}-01`, tracestate: "a=1,b=2" });
    api.startSpan("grandchild", {}, trace.setSpan(ROOT_CONTEXT, span)).end();
    api.startSpan("root").end();
    span.end();
    const map = new Map();
    propagation.inject(trace.setSpanContext(ROOT_CONTEXT, { ...REMOTE, traceState: createTraceState("x=y") }), map, { set: (to, key, value) => to.set(key, value) });
    assert.deepEqual([...map], [["traceparent", `00-${TRACE}-${SPAN}-01`], ["tracestate", "x=y"]]);
    const nothing = {};
    propagation.inject(ROOT_CONTEXT, nothing, defaultTextMapSetter);
    propagation.inject(trace.setSpanContext(ROOT_CONTEXT, NOTHING), nothing);
    assert.deepEqual(nothing, {});
    assert.deepEqual(propagation.fields(), ["traceparent", "tracestate", "baggage"]);
  });
  assert.deepEqual(["child", "grandchild", "root"].map((name) => named(name).traceState), ["a=1,b=2", "a=1,b=2", ""]);
});

test("baggage travels, and what breaks its rules is counted", async () => {
  await recorded(() => {
    const around = propagation.extract(ROOT_CONTEXT, { baggage: "user=J%C3%A4ger ; level=1;x, cart = 7,no-value,=x,bad key=1,broken=%zz,," }, defaultTextMapGetter);
    const baggage = propagation.getBaggage(around);
    assert.deepEqual(baggage.getAllEntries().map(([key, { value, metadata }]) => [key, value, metadata?.toString()]), [
      ["user", "Jäger", "level=1;x"],
      ["cart", "7", undefined],
    ]);
    assert.equal(tracer.stats().refusedBaggage, 4);
    const carrier = {};
    const further = baggage.setEntry("text", { value: 'a,b;c="d" é' }).setEntry("bad key", { value: "x" }).setEntry("large", { value: "x".repeat(9000) });
    propagation.inject(propagation.setBaggage(ROOT_CONTEXT, further), carrier);
    assert.deepEqual(carrier, { baggage: "user=J%C3%A4ger;level=1;x,cart=7,text=a%2Cb%3Bc%3D%22d%22%20%C3%A9" });
    assert.equal(tracer.stats().refusedBaggage, 6);
    assert.equal(propagation.getBaggage(propagation.extract(ROOT_CONTEXT, {})), undefined);
  });
});

test("another provider is an error that says what to do, and shutdown leaves nothing behind", async (t) => {
  const { answer: late } = await recorded((api) => api);
  assert.equal(late.startSpan("after shutdown").isRecording(), false);
  assert.deepEqual(trace.getTracer("x").startSpan("y").spanContext(), NOTHING);
  assert.equal(context.with(ROOT_CONTEXT.setValue(Symbol.for("k"), 1), () => context.active()), ROOT_CONTEXT);

  const theirs = { inject() {}, extract: (around) => around, fields: () => [] };
  propagation.setGlobalPropagator(theirs);
  const options = { serviceName: "api", endpoint: collector.url, instrumentations: [clewline.provideApi()] };
  const said = t.mock.method(console, "error", () => {});
  const alone = clewline.init(options);
  const [[, { message }]] = said.mock.calls.map((call) => call.arguments);
  assert.equal(message, "clewline: @opentelemetry/api has another provider already; call its propagation.disable() before init()");
  assert.equal(trace.getTracer("x").startSpan("y").isRecording(), false);
  await alone.shutdown();
  propagation.disable();
  const again = clewline.init(options);
  assert.equal(trace.getTracer("x").startSpan("y").isRecording(), true);
  await again.shutdown();
});

test("instrumentations that others wrote for Node.js record through us, and our own requests are no spans", async () => {
  collector.requests.length = 0;
  const { code, out, error } = await run([process.execPath, "instrumented.mjs", collector.url, site.url], { cwd: program.directory });
  assert.deepEqual([code, error], [0, ""]);
  const { started, delivered } = JSON.parse(out);
  const spans = collector.spans();
  assert.deepEqual([started, delivered, spans.length], [6, 6, 6], JSON.stringify(spans.map(({ name }) => name)));
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
  const chain = [["start", 1], ["POST", 3], ["POST", 2], ["handle 5", 1]];
  let parent = "";
  for (const [name, kind] of chain) {
    const span = spans.find((span) => span.name === name && span.kind === kind);
    assert.equal(span?.parentSpanId, parent, `${name} of kind ${kind}`);
    parent = span.spanId;
  }
  const requests = spans.filter((span) => span.parentSpanId === parent);
  assert.deepEqual(requests.map(({ name, kind, attributes }) => [name, kind, attributes["url.full"], attributes["otel.scope.name"]]), [
    ["GET", 3, `${site.url}/by-http`, "@opentelemetry/instrumentation-http"],
    ["GET", 3, `${site.url}/by-fetch`, "@opentelemetry/instrumentation-undici"],
  ]);
  assert.deepEqual(site.requests.map(({ headers }) => headers.traceparent.slice(36, 52)), requests.map(({ spanId }) => spanId));
});

for (const host of Object.keys(HOSTS)) {
  test(`${host}: the API's contexts hold through promises`, async () => {
    collector.requests.length = 0;
    const { code, error } = await run([...HOSTS[host], "contexts.mjs", collector.url], { cwd: program.directory });
    assert.deepEqual([code, error], [0, ""]);
    const spans = collector.spans();
    for (const name of ["one", "two"]) {
      const [outer, inner, ours] = ["", " inner", " ours"].map((end) => spans.find((span) => span.name === name + end));
      assert.deepEqual([outer.parentSpanId, inner.parentSpanId, ours.parentSpanId], ["", outer.spanId, inner.spanId]);
    }
  });
}

test("an instrumentation that others wrote for pages records through us, whether it or we came first", async () => {
  browser ??= await startBrowser();
  for (const order of ["late", "early"]) {
    collector.requests.length = site.requests.length = stranger.requests.length = 0;
    const opened = await openPage(browser, `${site.url}/?${order}`);
    await opened.evaluate((addresses) => window.work(addresses), ["/data", `${stranger.url}/data`]);
    const spans = await until("three spans", () => (collector.spans().length >= 3 ? collector.spans() : undefined));
    await opened.evaluate(() => window.tracer.shutdown());
    assert.equal(collector.spans().length, 3, `${order}: our own requests are no spans`);
    const work = spans.find(({ name }) => name === "work");
    const requests = spans.filter(({ parentSpanId }) => parentSpanId === work.spanId);
    assert.deepEqual(requests.map(({ kind, attributes }) => [kind, attributes["otel.scope.name"]]), Array(2).fill([3, "@opentelemetry/instrumentation-fetch"]));
    const { headers } = site.requests.find(({ path }) => path === "/data");
    assert.ok(requests.some(({ spanId }) => spanId === headers.traceparent.slice(36, 52)));
    assert.equal(stranger.requests.find(({ method }) => method === "GET").headers.traceparent, undefined);
    assert.deepEqual(opened.problems, []);
    await opened.close();
  }
});
