/** Delivery: batches, the budget of a leaving page, retry, and a count for every outcome. */

import assert from "node:assert/strict";
import test from "node:test";
import { gunzipSync } from "node:zlib";

import { balance, load, pending, start, until, withGlobals } from "./support.mjs";

const { rejectedSpans } = await load("transport.mjs");

/** Lets promises settle while timers are mocked. */
const settle = async () => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
};

const spans = (tracer, count, text = "x") => {
  for (let index = 0; index < count; index++) tracer.startSpan("s", { attributes: { index, text } }).end();
};
const indices = (network) => network.spans().map((span) => span.attributes.index.int);
const upTo = (count) => Array.from({ length: count }, (_, index) => index);

/** A page whose state the test changes. */
function page(t) {
  const document = { visibilityState: "visible", baseURI: "https://shop.test/" };
  const window = new EventTarget();
  withGlobals(t, { document, addEventListener: window.addEventListener.bind(window) });
  return {
    hide() {
      document.visibilityState = "hidden";
      window.dispatchEvent(new Event("visibilitychange"));
    },
    leave: () => window.dispatchEvent(new Event("pagehide")),
  };
}

/** Answers that the test gives when it likes. */
function pendingAnswers() {
  const answers = [];
  return { answers, respond: () => new Promise((resolve, reject) => answers.push({ resolve, reject })) };
}

test("a batch leaves after the interval, as protobuf, in one request", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { tracer, network } = await start(t, { flushInterval: 2000, headers: { "x-api-key": "k" } });
  spans(tracer, 3);
  t.mock.timers.tick(1999);
  await settle();
  assert.equal(network.calls.length, 0);
  t.mock.timers.tick(1);
  await settle();
  const [call, ...others] = network.calls;
  assert.equal(others.length, 0);
  assert.equal(call.url, "http://collector.test/v1/traces");
  assert.deepEqual([call.method, call.headers.get("content-type"), call.headers.get("x-api-key")], ["POST", "application/x-protobuf", "k"]);
  assert.deepEqual(indices(network), [0, 1, 2]);
  assert.equal(tracer.stats().delivered, 3);
  spans(tracer, 1);
  t.mock.timers.tick(2000);
  await settle();
  assert.equal(network.calls.length, 2);
});

test("a large batch does not wait", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { tracer, network } = await start(t, { flushInterval: 60_000 });
  spans(tracer, 40, "x".repeat(1000));
  t.mock.timers.tick(1);
  await settle();
  assert.deepEqual(indices(network), upTo(40));
});

test("a slow collector gets full requests, not many small ones", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { answers, respond } = pendingAnswers();
  const { tracer, network } = await start(t, { flushInterval: 100 }, respond);
  spans(tracer, 1);
  t.mock.timers.tick(100);
  await settle();
  spans(tracer, 1);
  answers.pop().resolve(new Response());
  await settle();
  assert.equal(network.calls.length, 1);
  t.mock.timers.tick(100);
  await settle();
  assert.equal(network.calls.length, 2);
});

test("a leaving page hands over at once what its budget allows, oldest first, and the rest follows", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const leaving = page(t);
  const { answers, respond } = pendingAnswers();
  const { tracer, network } = await start(t, { flushInterval: 60_000 }, respond);
  spans(tracer, 150, "x".repeat(1000));
  leaving.hide();
  // The requests were made within the event: no promise has settled yet.
  assert.ok(network.calls.length >= 1);
  await settle();
  const bytes = network.exports().reduce((sum, call) => sum + call.bytes.length, 0);
  assert.ok(bytes <= 60 * 1024 && bytes > 55 * 1024, `${bytes} bytes`);
  assert.ok(network.calls.every((call) => call.init.keepalive));
  leaving.leave();
  await settle();
  assert.equal(network.exports().reduce((sum, call) => sum + call.bytes.length, 0), bytes, "the budget is shared by all that is in flight");
  const handed = indices(network).length;
  assert.deepEqual(indices(network), upTo(handed));
  assert.equal(pending(tracer), 150);
  assert.equal(balance(tracer.stats()), 150);
  for (const { resolve } of answers.splice(0)) resolve(new Response());
  await settle();
  assert.equal(tracer.stats().delivered, handed);
  leaving.leave();
  await settle();
  assert.ok(network.calls.at(-1).init.keepalive && indices(network).length > handed, "what was answered frees its budget");
  const rest = tracer.flush();
  for (let turn = 0; turn < 5; turn++) {
    await settle();
    for (const { resolve } of answers.splice(0)) resolve(new Response());
  }
  await rest;
  assert.deepEqual(indices(network), upTo(150));
  assert.equal(tracer.stats().delivered, 150);
});

test("a request in flight leaves room for the spans that come after it", async (t) => {
  const leaving = page(t);
  const { respond } = pendingAnswers();
  const { tracer, network } = await start(t, { flushInterval: 1 }, respond);
  spans(tracer, 30, "x".repeat(1000));
  await until("a request", () => network.calls.length);
  assert.equal(network.calls.length, 1);
  spans(tracer, 10);
  leaving.leave();
  await settle();
  assert.equal(network.calls.length, 2);
  assert.equal(network.spans().length, 40);
});

test("busy servers and lost connections: again after growing pauses, at most five times", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  t.mock.method(Math, "random", () => 0.5);
  let attempt = 0;
  const { tracer, network } = await start(t, { flushInterval: 100 }, () => {
    attempt += 1;
    if (attempt % 2) throw new TypeError("lost");
    return new Response(null, { status: 503 });
  });
  spans(tracer, 2);
  t.mock.timers.tick(100);
  await settle();
  assert.equal(network.calls.length, 1);
  // A lost connection is believed in the next task.
  const nextTask = async () => {
    t.mock.timers.tick(0);
    await settle();
  };
  await nextTask();
  for (const [index, pause] of [1000, 2000, 4000, 8000].entries()) {
    t.mock.timers.tick(pause - 1);
    await settle();
    assert.equal(network.calls.length, index + 1, "not before");
    assert.equal(pending(tracer), 2);
    t.mock.timers.tick(1);
    await settle();
    assert.equal(network.calls.length, index + 2);
    await nextTask();
  }
  assert.deepEqual([tracer.stats().undelivered, pending(tracer)], [2, 0]);
  assert.ok(network.exports().every((call) => call.decoded.spans.length === 2), "the same bytes each time");
  assert.deepEqual(network.calls.map((call) => call.init.keepalive === true), [true, false, false, false, false]);
});

test("so many spans do not wait either", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const { tracer, network } = await start(t, { flushInterval: 60_000, batchSize: 20 });
  spans(tracer, 19);
  t.mock.timers.tick(1);
  await settle();
  assert.equal(network.calls.length, 0);
  spans(tracer, 1);
  t.mock.timers.tick(1);
  await settle();
  assert.deepEqual(indices(network), [...upTo(19), 0]);
});

test("headers of the application come last, in whatever case", async (t) => {
  const { tracer, network } = await start(t, { headers: { "Content-Type": "text/plain", "X-Api-Key": "k" } });
  spans(tracer, 1);
  await tracer.flush();
  const [{ headers }] = network.calls;
  assert.deepEqual([headers.get("content-type"), headers.get("x-api-key")], ["text/plain", "k"]);
});

test("Retry-After may be a date, and is obeyed for at most a minute", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  for (const [after, pause] of [
    [new Date(1_700_000_020_000).toUTCString(), 20_000],
    ["3600", 60_000],
  ]) {
    t.mock.timers.setTime(1_700_000_000_000);
    const answers = [new Response(null, { status: 503, headers: { "retry-after": after } })];
    const { tracer, network } = await start(t, { flushInterval: 1 }, () => answers.shift() ?? new Response());
    spans(tracer, 1);
    t.mock.timers.tick(1);
    await settle();
    assert.equal(network.calls.length, 1);
    t.mock.timers.tick(pause - 2);
    await settle();
    assert.equal(network.calls.length, 1, "not before");
    t.mock.timers.tick(2);
    await settle();
    assert.equal(network.calls.length, 2);
    await tracer.shutdown();
  }
});

test("a page that is left does not believe that its requests failed", async (t) => {
  const leaving = page(t);
  const { answers, respond } = pendingAnswers();
  const { tracer, network } = await start(t, { flushInterval: 1 }, respond);
  spans(tracer, 1);
  await until("a request", () => answers.length);
  assert.equal(network.calls.length, 1);
  // As Chromium does in the task in which it throws a page away.
  answers.pop().reject(new TypeError("Failed to fetch"));
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  leaving.leave();
  leaving.hide();
  assert.equal(network.calls.length, 1, "the request goes on without the page");
  assert.equal(pending(tracer), 1);
  const end = tracer.shutdown();
  await until("another attempt", () => answers.length);
  answers.pop().resolve(new Response());
  await end;
  assert.equal(tracer.stats().delivered, 1);
});

test("Retry-After counts more, and new spans do not shorten the pause", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  const answers = [new Response(null, { status: 429, headers: { "retry-after": "30" } })];
  const { tracer, network } = await start(t, { flushInterval: 100 }, () => answers.shift() ?? new Response());
  spans(tracer, 1);
  t.mock.timers.tick(100);
  await settle();
  spans(tracer, 1);
  t.mock.timers.tick(29_999);
  await settle();
  assert.equal(network.calls.length, 1);
  t.mock.timers.tick(1);
  await settle();
  t.mock.timers.tick(100);
  await settle();
  assert.equal(network.calls.length, 3);
  assert.equal(tracer.stats().delivered, 2);
});

test("a refusal is final and counted, whole or in part", async (t) => {
  // ExportTraceServiceResponse { partial_success { rejected_spans: 2, error_message: "x" } }
  const partial = new Uint8Array([0x0a, 5, 0x08, 2, 0x12, 1, 0x78]);
  const answers = [new Response(null, { status: 400 }), new Response(partial)];
  const { tracer, network } = await start(t, {}, () => answers.shift() ?? new Response());
  spans(tracer, 3);
  await tracer.flush();
  assert.deepEqual([tracer.stats().rejected, tracer.stats().delivered], [3, 0]);
  spans(tracer, 5);
  await tracer.flush();
  assert.deepEqual([tracer.stats().rejected, tracer.stats().delivered], [5, 3]);
  assert.equal(network.calls.length, 2);
  assert.equal(balance(tracer.stats()), 8);
});

test("answers of any shape are read without harm", () => {
  assert.equal(rejectedSpans(new Uint8Array([0x0a, 3, 0x08, 0xac, 0x02])), 300);
  for (const bytes of [[], [0x0a], [0x0a, 0], [0x0a, 4, 0x12, 2, 65, 66], [0x08, 1], [0xff, 0xff, 0xff], [..."{}"].map((c) => c.charCodeAt(0))]) {
    assert.equal(rejectedSpans(new Uint8Array(bytes)), 0, String(bytes));
  }
});

test("memory is bounded while nobody answers", async (t) => {
  const { respond } = pendingAnswers();
  const { tracer, network } = await start(t, { flushInterval: 1 }, respond);
  for (let round = 0; round < 20; round++) {
    spans(tracer, 100, "x".repeat(1000));
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  const { batchFull, started } = tracer.stats();
  assert.equal(network.calls.length, 1, "one at a time");
  assert.ok(pending(tracer) < 350 && batchFull > 1600, JSON.stringify(tracer.stats()));
  assert.equal(balance(tracer.stats()), started);
  // Nobody will ever answer: give the tracer back without waiting for its last flush.
  tracer.shutdown();
});

test("JSON is JSON, whether it stands before gzip in the list or behind it", async (t) => {
  const { sendGzip } = await load("gzip.mjs");
  const { sendJson } = await load("json.mjs");
  for (const instrumentations of [[sendGzip(), sendJson()], [sendJson(), sendGzip()]]) {
    const { tracer, network } = await start(t, { instrumentations }, () => new Response("{}"));
    spans(tracer, 50);
    await tracer.flush();
    const [{ bytes, headers }] = network.calls;
    const text = headers.get("content-encoding") ? gunzipSync(bytes) : bytes;
    const [{ scopeSpans }] = JSON.parse(new TextDecoder().decode(text)).resourceSpans;
    assert.equal(scopeSpans[0].spans.length, 50);
    assert.equal(tracer.stats().delivered, 50);
    await tracer.shutdown();
  }
});
