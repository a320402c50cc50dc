/** The fetch instrumentation: right spans, headers where they belong, and a fetch that behaves as before. */

import assert from "node:assert/strict";
import test from "node:test";

import { load, start, withGlobals } from "./support.mjs";

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/;

/** A page at https://shop.test/cart/. */
const page = (t) => withGlobals(t, { origin: "https://shop.test", location: { href: "https://shop.test/cart/" } });

/** Runs one request and answers what the network and the collector saw. */
async function trace(t, options, args, respond) {
  const { tracer, network } = await start(t, options, respond);
  const response = await fetch(...args);
  const call = network.calls[0];
  await tracer.flush();
  const [span] = network.spans();
  await tracer.shutdown();
  return { response, call, span, header: call.headers.get("traceparent") };
}

test("a span by the semantic conventions, without query, credentials and fragment", async (t) => {
  page(t);
  const { span, header, response } = await trace(t, {}, ["/api/cart?user=secret#top", { method: "post" }], () => new Response("body", { status: 201 }));
  assert.equal(await response.text(), "body");
  assert.match(header, TRACEPARENT);
  assert.equal(header.slice(36, 52), span.spanId);
  assert.equal(span.name, "POST");
  assert.equal(span.kind, 3);
  assert.deepEqual(span.attributes, {
    "http.request.method": "POST",
    "url.full": "https://shop.test/api/cart",
    "server.address": "shop.test",
    "server.port": { int: 443 },
    "http.response.status_code": { int: 201 },
  });
  assert.deepEqual(span.status, { code: 0, message: "" });
});

test("the query only where it is wanted", async (t) => {
  const { span } = await trace(t, { recordQuery: true }, ["http://api.test:8080/a?b=c#d"]);
  assert.equal(span.attributes["url.full"], "http://api.test:8080/a?b=c");
  assert.deepEqual(span.attributes["server.port"], { int: 8080 });
});

test("status 400 and above is an error for a client", async (t) => {
  const { span } = await trace(t, {}, ["http://api.test/a"], () => new Response(null, { status: 404 }));
  assert.deepEqual(span.status, { code: 2, message: "" });
  assert.equal(span.attributes["error.type"], "404");
  assert.deepEqual(span.attributes["http.response.status_code"], { int: 404 });
});

test("a failed request passes its own error on", async (t) => {
  const failure = new TypeError("connection refused");
  const { tracer, network } = await start(t, {}, (url) => {
    if (url.startsWith("http://api.test")) throw failure;
    return new Response();
  });
  await assert.rejects(fetch("http://api.test/a"), (error) => error === failure);
  await tracer.flush();
  const [span] = network.spans();
  assert.deepEqual(span.status, { code: 2, message: "connection refused" });
  assert.equal(span.attributes["error.type"], "TypeError");
  assert.equal(span.attributes["http.response.status_code"], undefined);
});

test("which requests carry traceparent", async (t) => {
  page(t);
  const propagateTo = ["https://api.example.com/v2", "https://all.example.com", /\.internal\//g, (url) => url.searchParams.has("trace"), () => { throw new Error("odd"); }];
  const table = [
    ["https://shop.test/anything", true],
    ["relative", true],
    [new URL("https://shop.test/url"), true],
    ["http://shop.test/other-scheme", false],
    ["https://shop.test:8443/other-port", false],
    ["https://api.example.com/v2", true],
    ["https://api.example.com/v2/", true],
    ["https://api.example.com/v2/items?x", true],
    ["https://api.example.com/v20", false],
    ["https://api.example.com/", false],
    ["https://all.example.com/", true],
    ["https://all.example.com:443/deep/er", true],
    ["https://all.example.com.evil.test/", false],
    ["https://all.example.com@evil.test/", null],
    ["https://host.internal/a", true],
    ["https://host.internal/b", true],
    ["https://other.test/?trace", true],
    ["https://other.test/", false],
  ];
  const { network } = await start(t, { propagateTo });
  for (const [url, expected] of table) {
    if (expected === null) {
      await assert.rejects(fetch(url), TypeError, "credentials in an address");
      continue;
    }
    await fetch(url);
    assert.equal(TRACEPARENT.test(network.calls.at(-1).headers.get("traceparent") ?? ""), expected, String(url));
  }
});

test("a request that carries traceparent is left alone", async (t) => {
  page(t);
  const mine = { TraceParent: "mine" };
  const request = new Request("https://shop.test/a", { headers: mine });
  for (const args of [["/a", { headers: mine }], ["/a", { headers: Object.entries(mine) }], ["/a", { headers: new Headers(mine) }], [request], ["/a", request]]) {
    const { header, span } = await trace(t, {}, args);
    assert.deepEqual([header, span], ["mine", undefined]);
  }
  // What takes the place of a Request's headers takes theirs, too.
  assert.match((await trace(t, {}, [request, { headers: {} }])).header, TRACEPARENT);
});

test("what the caller passed is not changed, and nothing of it is lost", async (t) => {
  page(t);
  const headers = { "x-a": "1" };
  const init = Object.freeze({ method: "PUT", headers: Object.freeze(headers), body: "text", redirect: "manual", custom: 7 });
  const { call, header } = await trace(t, {}, ["/a", init]);
  assert.match(header, TRACEPARENT);
  assert.equal(call.headers.get("x-a"), "1");
  assert.deepEqual([call.method, call.init.custom, call.request.redirect], ["PUT", 7, "manual"]);
  assert.deepEqual(headers, { "x-a": "1" });
});

test("Request objects: copied, not changed, bodies not read", async (t) => {
  page(t);
  const body = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode("streamed"));
      controller.close();
    },
  });
  const request = new Request("https://shop.test/a", { method: "POST", body, duplex: "half", headers: { "x-a": "1" } });
  let received;
  const { call, header, span } = await trace(t, {}, [request], async (_, seen) => {
    if (seen.url.endsWith("/a")) received = await seen.text();
    return new Response();
  });
  assert.match(header, TRACEPARENT);
  assert.equal(request.headers.get("traceparent"), null);
  assert.equal(call.headers.get("x-a"), "1");
  assert.equal(received, "streamed");
  assert.equal(span.name, "POST");

  const withInit = await trace(t, {}, [new Request("https://shop.test/a", { headers: { "x-a": "1" } }), { method: "DELETE" }]);
  assert.deepEqual([withInit.call.method, withInit.span.name, withInit.call.headers.get("x-a")], ["DELETE", "DELETE", "1"]);
  assert.match(withInit.header, TRACEPARENT);

  // A Request may itself stand where `init` does; its members are getters on the prototype.
  const asInit = await trace(t, {}, ["https://shop.test/b", new Request("https://shop.test/a", { method: "PUT", headers: { "x-a": "2" } })]);
  assert.deepEqual([asInit.call.method, asInit.call.headers.get("x-a"), asInit.call.url], ["PUT", "2", "https://shop.test/b"]);
  assert.match(asInit.header, TRACEPARENT);
});

test("propagateTo is an address, a path, a pattern or a function; what is none is said at once", async () => {
  const [{ traceFetch }, { traceXhr }] = await Promise.all([load("fetch.mjs"), load("xhr.mjs")]);
  const message = /^clewline: init option "propagateTo" cannot be /;
  for (const trace of [traceFetch, traceXhr]) {
    for (const propagateTo of ["api.example.com", "*", "", 5, {}, ["https://a.test", "b.test"]]) assert.throws(() => trace({ propagateTo }), { name: "TypeError", message });
    for (const propagateTo of [undefined, null, [], [undefined], "/api", "//cdn.test", "HTTPS://a.test", new URL("https://a.test"), /x/, () => true]) trace({ propagateTo });
    trace();
    trace({});
  }
});

test("a fetch below that is somebody else's may throw, answer at once, or answer nothing", async (t) => {
  const answers = [() => { throw new RangeError("not here"); }, () => "a text", () => undefined, () => ({ then: (resolve) => resolve({ status: 204 }) })];
  let next;
  withGlobals(t, { fetch: (url) => (String(url).endsWith("/v1/traces") ? Promise.resolve(new Response()) : next()) });
  const [{ init }, { traceFetch }] = await Promise.all([load("index.mjs"), load("fetch.mjs")]);
  const tracer = init({ serviceName: "test", endpoint: "http://collector.test", instrumentations: [traceFetch()] });
  t.after(() => tracer.shutdown());
  const seen = [];
  for (next of answers) {
    try {
      seen.push(await fetch("http://api.test/"));
    } catch (error) {
      seen.push(error.message);
    }
  }
  assert.deepEqual(seen, ["not here", "a text", undefined, { status: 204 }]);
  assert.deepEqual([tracer.stats().started, tracer.stats().live], [4, 0]);
});

test("methods: those of fetch in capitals, unknown ones not in the name", async (t) => {
  const table = [["get", "GET", "GET"], ["Patch", "HTTP", "_OTHER"], ["PATCH", "PATCH", "PATCH"], ["PURGE", "HTTP", "_OTHER"]];
  for (const [method, name, attribute] of table) {
    const { span } = await trace(t, {}, ["http://api.test/", { method }]);
    assert.deepEqual([span.name, span.attributes["http.request.method"]], [name, attribute]);
    assert.equal(span.attributes["http.request.method_original"], attribute === "_OTHER" ? method : undefined);
  }
});

test("invalid requests fail as they always did, without a span", async (t) => {
  const { tracer } = await start(t);
  await assert.rejects(fetch("http://"), TypeError);
  await fetch("data:text/plain,hello");
  await assert.rejects(fetch("http://api.test", { headers: { "bad name": "x" } }), TypeError);
  assert.equal(tracer.stats().started, 0);
});

test("a request within a span is its child", async (t) => {
  const { tracer, network } = await start(t);
  await tracer.startActiveSpan("click", async (span) => {
    await fetch("http://api.test/");
    span.end();
  });
  await tracer.flush();
  const [request, click] = network.spans();
  assert.equal(request.parentSpanId, click.spanId);
});

test("exports make no spans, even those of another copy", async (t) => {
  const { tracer, network } = await start(t);
  tracer.startSpan("s").end();
  await tracer.flush();
  await fetch("http://collector.test/v1/traces", { method: "POST" });
  await tracer.flush();
  assert.equal(tracer.stats().started, 1);
  assert.equal(network.exports()[0].headers.get("traceparent"), null);
});

test("shutdown gives fetch back; without instrumentation it is never taken", async (t) => {
  const { tracer, network, patched } = await start(t);
  assert.notEqual(patched, network.fetch);
  await tracer.shutdown();
  assert.equal(globalThis.fetch, network.fetch);
  await patched("http://api.test/kept-by-somebody");
  assert.equal(tracer.stats().started, 0);
  const { init } = await load("index.mjs");
  const plain = init({ serviceName: "s" });
  assert.equal(globalThis.fetch, network.fetch);
  await plain.shutdown();
});
