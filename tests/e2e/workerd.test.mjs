/** A Cloudflare Worker, in the runtime that Cloudflare uses: its spans, their parents, headers in and out, and what must leave with each event. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startCollector, startSite } from "./support/site.mjs";
import { until } from "./support/viewer.mjs";
import { startWorker } from "./support/workerd.mjs";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

const WORKER = `
import { instrument, stats, tracer } from "./clewline/cloudflare.mjs";

let early;
try { tracer(); } catch (error) { early = error.message; }
let wrong;
try { instrument({}, { serviceName: "worker", endpiont: "x" }); } catch (error) { wrong = error.message; }

class Base { email() { return "inherited"; } }

const handler = Object.assign(new Base(), {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    const { activeSpan, startSpan, startActiveSpan } = tracer();
    if (pathname === "/said") return Response.json({ early, wrong, email: traced.email(), stats: stats() });
    if (pathname === "/by-hand") return traced.fetch(new Request("http://test/status?code=204"), env);
    if (pathname === "/fails") throw new RangeError("out of thread");
    if (pathname === "/status") return new Response(null, { status: +new URL(request.url).searchParams.get("code") });
    if (pathname === "/passed-on") {
      await (await fetch(env.LISTED + "/api/single", request)).text();
      await (await fetch(env.OTHER + "/api/single", { headers: request.headers })).text();
      return fetch(new Request(env.LISTED + "/api/single", { headers: { traceparent: "of-the-worker" } }));
    }
    if (pathname === "/later") {
      context.waitUntil((async () => {
        await scheduler.wait(30);
        startSpan("after the answer").end();
      })());
      return new Response();
    }
    const name = pathname.slice(1);
    const mine = activeSpan();
    await startActiveSpan("work " + name, async (span) => {
      await scheduler.wait(20);
      await (await fetch(env.LISTED + "/api/" + name)).text();
      await fetch(env.OTHER + "/api/" + name);
      if (activeSpan() !== span) throw new Error("lost after an await");
      span.end();
    });
    await scheduler.wait(5);
    if (activeSpan() !== mine) throw new Error("another request's span");
    startSpan("end " + name).end();
    return new Response(mine.traceparent());
  },
  async scheduled(event, env) {
    await scheduler.wait(5);
    await fetch(env.LISTED + "/api/cron");
  },
  async queue(batch) {
    tracer().startSpan("message").end();
    for (const message of batch.messages) message.ack();
  },
});
const traced = instrument(handler, (env) => ({ serviceName: "worker", endpoint: env.COLLECTOR, propagateTo: [env.LISTED] }));
export default traced;
`;

let collector, listed, other, worker;

before(async () => {
  const answer = () => ({ body: "{}" });
  const pages = Object.fromEntries(["cron", "single", ...Array.from({ length: 20 }, (_, index) => `n${index}`)].map((name) => [`/api/${name}`, answer]));
  [collector, listed, other] = await Promise.all([startCollector(), startSite(pages), startSite(pages)]);
  worker = await startWorker(WORKER, { COLLECTOR: collector.url, LISTED: listed.url, OTHER: other.url });
});

after(async () => {
  await worker?.end();
  await Promise.all([collector, listed, other].map((server) => server?.end()));
});

/** Forgets what came before; answers the spans of a trace as soon as there are so many. */
function trace() {
  collector.requests.length = listed.requests.length = other.requests.length = 0;
  return (count, wanted = () => true) =>
    until(() => `${count} spans, of ${collector.spans().map(({ name }) => name)}; ${worker.output()}`, () => {
      const spans = collector.spans().filter(wanted);
      return spans.length >= count ? spans : undefined;
    });
}

test("a request is a span of the trace that it brings, and what it asks for continues it", async () => {
  const arrived = trace();
  const response = await fetch(`${worker.url}/single?user=secret`, { method: "POST", headers: { traceparent: PARENT, tracestate: "a=1,b=2", baggage: "user=ann;vip,cart=3", "user-agent": "tester" }, body: "x" });
  const traceparent = await response.text();
  const spans = await arrived(5);
  assert.equal(spans.length, 5);
  assert.ok(spans.every(({ traceId, traceState }) => traceId === TRACE && traceState === "a=1,b=2"));
  const named = (name) => spans.find((span) => span.name === name);
  const server = named("POST");
  assert.deepEqual([server.kind, server.parentSpanId, server.spanId], [2, "b7ad6b7169203331", traceparent.slice(36, 52)]);
  const { hostname, port } = new URL(worker.url);
  assert.deepEqual(server.attributes, {
    "http.request.method": "POST",
    "url.path": "/single",
    "url.scheme": "http",
    "server.address": hostname,
    "server.port": { int: +port },
    "user_agent.original": "tester",
    "http.response.status_code": { int: 200 },
  });
  assert.deepEqual(server.status, { code: 0, message: "" });
  const work = named("work single");
  assert.deepEqual([work.parentSpanId, named("end single").parentSpanId], [server.spanId, server.spanId]);
  const requests = spans.filter(({ name }) => name === "GET");
  assert.deepEqual(requests.map(({ kind, parentSpanId, attributes }) => [kind, parentSpanId, attributes["url.full"]]), [
    [3, work.spanId, `${listed.url}/api/single`],
    [3, work.spanId, `${other.url}/api/single`],
  ]);
  assert.equal(listed.requests[0].headers.traceparent.slice(0, 53), `00-${TRACE}-${requests[0].spanId}-`);
  assert.deepEqual([other.requests[0].headers.traceparent, other.requests[0].headers.tracestate], [undefined, undefined]);
  assert.equal(listed.requests[0].headers.tracestate, "a=1,b=2");
  assert.deepEqual([listed, other].map(({ requests }) => requests[0].headers.baggage), ["user=ann;vip,cart=3", undefined]);
  assert.ok(collector.requests.every(({ headers }) => headers.tracestate === undefined && headers.baggage === undefined));
  const age = BigInt(Date.now()) * 1_000_000n - server.start;
  assert.ok(age > 0n && age < 60_000_000_000n && server.end > server.start, `it began ${age} ns ago`);
});

test("twenty requests at once, each with its own spans, in traces of their own", async () => {
  const arrived = trace();
  const names = Array.from({ length: 20 }, (_, index) => `n${index}`);
  // Half of them bring a state, which belongs to no other; one brings it without a trace. The others bring baggage, which needs none.
  const states = names.map((name, index) => (index % 2 ? { baggage: `of=${name}` } : { tracestate: `of=${name}`, traceparent: index ? `00-${TRACE.slice(0, 30)}${10 + index}-b7ad6b7169203331-01` : "none" }));
  const traceparents = await Promise.all(names.map(async (name, index) => (await fetch(`${worker.url}/${name}`, { headers: states[index] })).text()));
  const spans = await arrived(100);
  assert.equal(spans.length, 100);
  assert.equal(new Set(traceparents).size, 20);
  for (const [index, name] of names.entries()) {
    const [, traceId, server] = traceparents[index].split("-");
    const mine = spans.filter((span) => span.traceId === traceId);
    assert.equal(listed.requests.find(({ path }) => path === `/api/${name}`).headers.baggage, states[index].baggage);
    assert.deepEqual(mine.map((span) => span.name).sort(), ["GET", "GET", "GET", `end ${name}`, `work ${name}`]);
    assert.ok(mine.every(({ traceState }) => traceState === ((index && states[index].tracestate) || "")));
    const work = mine.find((span) => span.name === `work ${name}`);
    assert.equal(work.parentSpanId, server);
    const requests = mine.filter((span) => span.parentSpanId === work.spanId);
    assert.equal(listed.requests.find(({ path }) => path === `/api/${name}`).headers.tracestate, index ? states[index].tracestate : undefined);
    assert.deepEqual(requests.map((span) => new URL(span.attributes["url.full"]).pathname), [`/api/${name}`, `/api/${name}`]);
  }
});

test("a request that is passed on is a child of the Worker's span, and carries that where it may; what the Worker set is left alone", async () => {
  const arrived = trace();
  await fetch(`${worker.url}/passed-on`, { headers: { traceparent: PARENT, tracestate: "a=1", baggage: "b=2" } });
  const spans = await arrived(3);
  assert.equal(spans.length, 3);
  const server = spans.find(({ kind }) => kind === 2);
  const child = (url) => spans.find(({ kind, attributes }) => kind === 3 && attributes["url.full"].startsWith(url));
  assert.deepEqual([listed, other].map(({ url }) => child(url).parentSpanId), [server.spanId, server.spanId]);
  const carried = ({ requests }) => requests.map(({ headers }) => [headers.traceparent, headers.tracestate, headers.baggage]);
  assert.deepEqual(carried(listed), [[`00-${TRACE}-${child(listed.url).spanId}-01`, "a=1", "b=2"], ["of-the-worker", undefined, undefined]]);
  assert.deepEqual(carried(other), [[PARENT, "a=1", "b=2"]]);
});

test("failures: an exception fails the request as ever, 500 is an error, 404 is none", async () => {
  const arrived = trace();
  assert.equal((await fetch(`${worker.url}/fails`)).status, 500);
  const [failed] = await arrived(1);
  assert.deepEqual([failed.status, failed.attributes["error.type"]], [{ code: 2, message: "out of thread" }, "RangeError"]);
  assert.deepEqual([failed.events[0].name, failed.events[0].attributes["exception.message"]], ["exception", "out of thread"]);
  for (const [code, status, type] of [[503, 2, "503"], [404, 0, undefined]]) {
    const arrived = trace();
    assert.equal((await fetch(`${worker.url}/status?code=${code}`)).status, code);
    const [span] = await arrived(1);
    assert.deepEqual([span.status.code, span.attributes["error.type"], span.attributes["http.response.status_code"]], [status, type, { int: code }]);
  }
});

test("a handler that is called without a context answers all the same", async () => {
  const arrived = trace();
  assert.equal((await fetch(`${worker.url}/by-hand`)).status, 204);
  assert.equal((await arrived(2, ({ name }) => name === "GET")).length, 2);
});

test("a method that nobody knows names no span, and a parent that is none begins a trace", async () => {
  const arrived = trace();
  await fetch(`${worker.url}/status?code=200`, { method: "PROPFIND", headers: { traceparent: PARENT.toUpperCase() } });
  const [span] = await arrived(1);
  assert.deepEqual([span.name, span.attributes["http.request.method"], span.parentSpanId], ["HTTP", "_OTHER", ""]);
  assert.equal(span.attributes["http.request.method_original"], "PROPFIND");
});

test("who decided against the trace decided for the Worker too", async () => {
  const arrived = trace();
  await fetch(`${worker.url}/single`, { headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-00` } });
  assert.equal(listed.requests[0].headers.traceparent.slice(0, 36), `00-${TRACE}-`);
  assert.match(listed.requests[0].headers.traceparent, /-00$/);
  await fetch(`${worker.url}/status?code=200`);
  const spans = await arrived(1);
  assert.ok(spans.every(({ traceId }) => traceId !== TRACE));
});

test("what ends after the answer, in waitUntil, leaves as well", async () => {
  const arrived = trace();
  await fetch(`${worker.url}/later`);
  const spans = await arrived(2);
  const server = spans.find(({ name }) => name === "GET");
  assert.equal(spans.find(({ name }) => name === "after the answer").parentSpanId, server.spanId);
});

test("alarm clocks and batches of messages are spans", async () => {
  const arrived = trace();
  await worker.call("scheduled", { cron: "*/5 * * * *", scheduledTime: 1_700_000_000_000 });
  const [request, scheduled] = await arrived(2);
  assert.deepEqual([scheduled.name, scheduled.kind, scheduled.parentSpanId], ["scheduled", 2, ""]);
  assert.deepEqual(scheduled.attributes, { "faas.trigger": "timer", "faas.cron": "*/5 * * * *", "faas.time": "2023-11-14T22:13:20.000Z" });
  assert.equal(request.parentSpanId, scheduled.spanId);
  const next = trace();
  await worker.call("queue", "orders", [{ id: "1", timestamp: 1_700_000_000_000, body: "x", attempts: 1 }]);
  const [message, batch] = await next(2);
  assert.deepEqual([batch.name, batch.kind, message.parentSpanId], ["process orders", 5, batch.spanId]);
  assert.deepEqual(batch.attributes["messaging.batch.message_count"], { int: 1 });
});

test("use before its time and wrong options are said clearly, and every span is accounted for", async () => {
  const arrived = trace();
  const { early, wrong, email, stats } = await (await fetch(`${worker.url}/said`)).json();
  assert.equal(early, "clewline: call tracer() while an instrumented handler runs");
  assert.equal(wrong, 'clewline: init option "endpiont" is unknown');
  assert.equal(email, "inherited");
  const { started, live, batched, waiting, delivered, rejected, abandoned, batchFull, undelivered } = stats;
  assert.equal(started, live + batched + waiting + delivered + rejected + abandoned + batchFull + undelivered);
  assert.deepEqual([live, rejected, abandoned, batchFull, undelivered], [1, 0, 0, 0, 0]);
  // The next test's traces are counted anew.
  await arrived(1);
});

test("a Worker whose environment says nonsense works untraced, and says why", async () => {
  const simple = `import { instrument } from "./clewline/cloudflare.mjs";
    const fetch = () => {
      console.error("answering");
      return new Response("fine");
    };
    export default instrument({ fetch }, (env) => ({ serviceName: env.NAME }));`;
  const untraced = await startWorker(simple, { NAME: "" });
  try {
    for (let index = 0; index < 2; index++) assert.equal(await (await fetch(untraced.url)).text(), "fine");
    // Said before the last answer, it is in front of the last word.
    const said = await until("the last word", () => (untraced.output().match(/answering/g)?.length === 2 ? untraced.output() : undefined));
    assert.equal(said.match(/this Worker is not traced: clewline: init option "serviceName" cannot be ""/g)?.length, 1, said);
  } finally {
    await untraced.end();
  }
});

test("classes are traced too: an entry point, and a Durable Object with its alarm", async () => {
  const arrived = trace();
  const classes = await startWorker(`
    import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
    import { instrument, tracer } from "./clewline/cloudflare.mjs";
    const options = (env) => ({ serviceName: "classes", endpoint: env.COLLECTOR });
    class Cart extends DurableObject {
      #rung = 0;
      async fetch(request) {
        await this.ctx.storage.setAlarm(Date.now());
        while (!this.#rung) await scheduler.wait(5);
        return new Response(tracer().activeSpan().traceparent());
      }
      alarm() { this.#rung++; }
    }
    export const TracedCart = instrument(Cart, options);
    class Entry extends WorkerEntrypoint {
      greeting = "hello";
      async fetch(request) {
        const cart = this.env.CARTS.get(this.env.CARTS.idFromName("one"));
        const headers = tracer().activeSpan().inject(new Headers());
        return new Response(this.greeting + " " + await (await cart.fetch(request.url, { headers })).text());
      }
    }
    export default instrument(Entry, options);
  `, { COLLECTOR: collector.url }, ["CARTS", "TracedCart"]);
  try {
    const [greeting, traceparent] = (await (await fetch(classes.url)).text()).split(" ");
    assert.equal(greeting, "hello");
    const spans = await arrived(3);
    const [cart] = spans.filter(({ spanId }) => spanId === traceparent.slice(36, 52));
    const [entry] = spans.filter(({ spanId }) => spanId === cart.parentSpanId);
    assert.deepEqual([cart.name, entry.name, entry.parentSpanId, entry.traceId], ["GET", "GET", "", cart.traceId]);
    assert.equal(spans.filter(({ name }) => name === "alarm").length, 1);
  } finally {
    await classes.end();
  }
});

test("what the collector did not take leaves with a later request", async () => {
  const arrived = trace();
  collector.state.down = true;
  try {
    assert.equal((await fetch(`${worker.url}/status?code=201`)).status, 201);
    await until("a failed export", async () => {
      const { stats } = await (await fetch(`${worker.url}/said`)).json();
      return stats.waiting ? true : undefined;
    });
  } finally {
    collector.state.down = false;
  }
  const codes = () => collector.spans().map(({ attributes }) => attributes["http.response.status_code"]?.int).filter((code) => code > 200);
  assert.deepEqual(codes(), []);
  await fetch(`${worker.url}/status?code=202`);
  // The Worker may have heard of the failure only behind that one, so it is perhaps a later one with which it leaves.
  const all = await until(() => `both spans, of ${codes()}`, async () => {
    if (codes().length >= 2) return codes();
    await (await fetch(`${worker.url}/said`)).json();
    return undefined;
  });
  assert.deepEqual(all.sort(), [201, 202]);
});

test("an old compatibility date, without FinalizationRegistry, is no obstacle", async () => {
  const text = `import { instrument, tracer } from "./clewline/cloudflare.mjs";
    const fetch = () => {
      tracer().startSpan("by an old Worker").end();
      return new Response(typeof FinalizationRegistry);
    };
    export default instrument({ fetch }, { serviceName: "old", endpoint: "${collector.url}" });`;
  const old = await startWorker(text, {}, undefined, "2022-11-30");
  try {
    assert.equal(await (await fetch(old.url)).text(), "undefined");
    await until("the span", () => collector.spans().find(({ name }) => name === "by an old Worker"));
  } finally {
    await old.end();
  }
});
