/** Requests of a page in a real Chromium, by fetch and XMLHttpRequest: one right span each, and headers where they belong only. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { delivered, duration, startInstrumented } from "./support/instrumented.mjs";
import { until } from "./support/viewer.mjs";

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/;
const CORS = { "access-control-allow-origin": "*", "access-control-allow-headers": "traceparent, x-own" };
const BOTH = "traceFetch(), traceXhr(), traceTiming()";
/** What a browser says of requests that fail, which is part of some tests. */
const FAILURES = /Failed to load resource|CORS policy|ERR_/;

const json = { body: '{"a":1}', type: "application/json" };
const begin = (response, type = "text/plain") => {
  response.writeHead(200, { "content-type": type, ...CORS });
  response.write("begun ");
};

let all;
/** Responses that have begun, and end when a test says so. */
const held = [];

before(async () => {
  all = await startInstrumented(
    {
      "/api/data": json,
      "/api/empty": { status: 204, body: "" },
      "/api/missing": { status: 404, body: "" },
      "/api/redirect": { status: 302, headers: { location: "/api/data?from=redirect" }, body: "" },
      "/api/echo": (request, _, body) => ({ body: `${request.headers["x-own"] ?? ""}:${body}`, type: "text/plain" }),
      "/api/slow": (request, response) => {
        begin(response);
        setTimeout(() => response.end("ended"), 300);
        return null;
      },
      "/api/held": (_, response) => {
        begin(response);
        held.push(response);
        return null;
      },
      "/api/never": () => null,
      "/api/endless": (_, response) => {
        begin(response, "text/event-stream");
        return null;
      },
      "/api/cut": (_, response) => {
        response.writeHead(200, { "content-length": "100" });
        response.write("begun ");
        setTimeout(() => response.destroy(), 100);
        return null;
      },
    },
    {
      "/data": { ...json, headers: CORS },
      "/listed/data": { ...json, headers: CORS },
      "/listedness/data": { ...json, headers: CORS },
      "/strict": { ...json, headers: { "access-control-allow-origin": "*" } },
    },
  );
});

after(() => all?.end());

const toSite = (path) => all.site.requests.filter((request) => request.path === path);
const toStranger = (method) => all.stranger.requests.filter((request) => request.method === method);

test("headers: same origin by default, and not a single preflight to anybody else", async () => {
  const page = await all.open({ use: BOTH });
  const statuses = await page.evaluate(async (elsewhere) => {
    const byXhr = (address) => new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", address);
      request.onloadend = () => resolve(request.status);
      request.send();
    });
    const answers = [];
    for (const address of ["/api/data", new URL("/api/data", location.href), `${elsewhere}/data`, `${elsewhere}/strict`]) {
      answers.push((await fetch(address)).status, await byXhr(address));
    }
    answers.push((await fetch(`${elsewhere}/strict`, { mode: "no-cors" })).type);
    return answers;
  }, all.stranger.url);
  assert.deepEqual(statuses, [...Array(8).fill(200), "opaque"]);
  const spans = await all.exactly("GET", 9);
  const own = toSite("/api/data");
  assert.equal(own.length, 4);
  for (const { headers } of own) {
    assert.match(headers.traceparent, TRACEPARENT);
    assert.ok(spans.some((span) => span.traceId === headers.traceparent.slice(3, 35) && span.spanId === headers.traceparent.slice(36, 52)));
  }
  assert.equal(new Set(own.map(({ headers }) => headers.traceparent)).size, 4);
  assert.equal(toStranger("OPTIONS").length, 0);
  assert.equal(toStranger("GET").length, 5);
  for (const { headers } of toStranger("GET")) for (const name of ["traceparent", "tracestate", "baggage"]) assert.equal(headers[name], undefined);
  await page.finish();
});

for (const [kind, propagateTo] of [
  ["an address", (url) => JSON.stringify(`${url}/listed`)],
  ["a list with an address", (url) => `["https://other.example", ${JSON.stringify(`${url}/listed/`)}]`],
  ["a pattern", (url) => `/^${url.replace(/[/.]/g, "\\$&")}\\/listed\\//g`],
  ["a function", () => "(url) => url.pathname.startsWith('/listed/')"],
]) {
  test(`headers: ${kind} lets them out to the listed, with their preflights, and to nobody else`, async () => {
    const options = `{ propagateTo: ${propagateTo(all.stranger.url)} }`;
    const page = await all.open({ use: `traceFetch(${options}), traceXhr(${options})` });
    await page.evaluate(async (elsewhere) => {
      for (const path of ["/listed/data", "/listedness/data", "/data", "/listed/data"]) {
        await fetch(elsewhere + path);
        await new Promise((resolve) => {
          const request = new XMLHttpRequest();
          request.open("GET", elsewhere + path);
          request.onloadend = resolve;
          request.send();
        });
      }
    }, all.stranger.url);
    await all.exactly("GET", 8);
    const carried = toStranger("GET").map(({ path, headers }) => [path, TRACEPARENT.test(headers.traceparent ?? "")]);
    assert.deepEqual(carried, ["/listed/data", "/listedness/data", "/data", "/listed/data"].flatMap((path) => [1, 2].map(() => [path, path === "/listed/data"])));
    // The browser remembers a preflight's answer for five seconds.
    const preflights = toStranger("OPTIONS").map(({ path }) => path);
    assert.ok(preflights.length >= 1 && preflights.length <= 4 && preflights.every((path) => path === "/listed/data"), `${preflights}`);
    assert.ok(toStranger("OPTIONS").every(({ headers }) => headers["access-control-request-headers"] === "traceparent"));
    await page.finish();
  });
}

test("Request objects, of a frame too, streams as bodies, and clones: nothing of them changes", async () => {
  const page = await all.open({ use: BOTH, tolerate: FAILURES });
  const seen = await page.evaluate(async () => {
    const answers = [];
    const request = new Request("/api/echo", { method: "POST", body: "one", headers: { "x-own": "1" } });
    answers.push(await (await fetch(request)).text(), request.headers.has("traceparent"), request.bodyUsed);
    answers.push(await (await fetch(new Request("/api/echo", { headers: { "x-own": "2" } }), { method: "PUT", body: "two" })).text());
    const frame = document.body.appendChild(document.createElement("iframe")).contentWindow;
    answers.push(await (await fetch(new frame.Request("/api/echo", { method: "POST", body: "three", headers: { "x-own": "3" } }))).text());
    answers.push(await (await fetch("/api/echo", { method: "POST", body: new Blob(["four"]).stream(), duplex: "half" }).catch(({ name }) => new Response(name))).text());
    const answer = await fetch("/api/data");
    const copy = answer.clone();
    answers.push((await answer.json()).a, (await copy.json()).a, answer instanceof Response, answer.url.endsWith("/api/data"));
    return answers;
  });
  // A stream as a body needs HTTP/2: the browser says so, and would say it without us.
  assert.deepEqual(seen, ["1:one", false, true, "2:two", "3:three", "TypeError", 1, 1, true, true]);
  // Sorted, because a span ends when the browser tells of its body.
  const posts = await all.exactly("POST", 3);
  await all.exactly("PUT", 1);
  const echoes = toSite("/api/echo").filter(({ headers }) => headers["x-own"]);
  assert.equal(echoes.length, 3);
  assert.ok(echoes.every(({ headers }) => TRACEPARENT.test(headers.traceparent)));
  assert.deepEqual(posts.map((span) => span.attributes["error.type"]).sort(), ["TypeError", undefined, undefined]);
  await page.finish();
});

test("a span ends with its body, however that is read, and tells its phases in their order", async () => {
  const page = await all.open({ use: BOTH });
  await page.evaluate(async () => {
    await (await fetch("/api/slow#part")).text();
    const reader = (await fetch("/api/slow")).body.getReader();
    while (!(await reader.read()).done);
    await (await fetch("/api/slow")).clone().text();
    await (await fetch("/api/slow")).body.pipeTo(new WritableStream());
    window.unread = await fetch("/api/slow");
    await new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", "/api/slow");
      request.onloadend = resolve;
      request.send();
    });
  });
  const spans = await all.exactly("GET", 6);
  for (const span of spans) {
    assert.ok(duration(span) >= 280, `${duration(span)} ms`);
    const phases = span.events.map(({ name }) => name);
    assert.deepEqual(phases.filter((name) => /^(fetchStart|requestStart|responseStart|responseEnd)$/.test(name)), ["fetchStart", "requestStart", "responseStart", "responseEnd"]);
    assert.ok(span.events.every(({ time }, index, events) => index === 0 || time >= events[index - 1].time));
    assert.ok(span.events.at(-1).time <= span.end && span.events[0].time >= span.start - 1_000_000n);
    assert.deepEqual(span.attributes["http.response.body.size"], { int: 11 });
    assert.equal(span.attributes["network.protocol.version"], "1.1");
    assert.deepEqual(span.status, { code: 0, message: "" });
  }
  await page.finish();
});

test("requests to one address at once: each span has its own end", async () => {
  const page = await all.open({ use: BOTH });
  held.length = 0;
  const ask = (name) => page.evaluate(async (name) => (window[name] = (await fetch("/api/held")).text()) && undefined, name);
  for (const name of ["first", "second"]) await ask(name);
  for (const [index, name] of ["first", "second"].entries()) {
    held[index].end("ended");
    await page.evaluate((name) => window[name], name);
    await all.exactly("GET", index + 1);
  }
  const [first, second] = all.spans();
  assert.ok(first.start < second.start && second.start < first.end && first.end < second.end);
  await page.finish();
});

test("failures: no answer, an abort before and within the body, a timeout, a cut body", async () => {
  const page = await all.open({ use: BOTH, tolerate: FAILURES });
  await page.evaluate(async () => {
    const quietly = async (work) => {
      try {
        await work();
      } catch {
        // It is the span that counts.
      }
    };
    const byXhr = (address, change) => new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", address);
      request.onloadend = resolve;
      change?.(request);
      request.send();
      if (change === abort) setTimeout(() => request.abort(), 50);
    });
    const abort = () => {};
    await fetch("/api/missing");
    await quietly(() => fetch("http://127.0.0.1:9/"));
    const before = new AbortController();
    const request = fetch("/api/endless", { signal: before.signal });
    before.abort();
    await quietly(() => request);
    const within = new AbortController();
    const text = (await fetch("/api/endless", { signal: within.signal })).text();
    within.abort();
    await quietly(() => text);
    await quietly(() => fetch("/api/cut").then((answer) => answer.text()));
    await byXhr("http://127.0.0.1:9/");
    await byXhr("/api/never", (request) => (request.timeout = 50));
    await byXhr("/api/never", abort);
    await byXhr("/api/missing");
  });
  const spans = await all.exactly("GET", 9);
  assert.deepEqual(spans.map((span) => [span.attributes["error.type"], span.attributes["http.response.status_code"]?.int]).sort(), [
    ["404", 404],
    ["404", 404],
    ["AbortError", 200],
    ["AbortError", undefined],
    ["AbortError", undefined],
    ["NetworkError", undefined],
    ["TimeoutError", undefined],
    ["TypeError", undefined],
    [undefined, 200],
  ].sort());
  assert.equal(spans.filter((span) => span.status.code === 2).length, 8);
  await page.finish();
});

test("an endless stream holds one small object: its span ends where its headers came, when the page is left", async () => {
  const page = await all.open({ use: BOTH });
  const [headers, whole] = await page.evaluate(async () => {
    const begun = performance.now();
    const reader = (await fetch("/api/endless")).body.getReader();
    const headers = performance.now() - begun;
    await reader.read();
    window.reader = reader;
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return [headers, performance.now() - begun];
  });
  await delivered(page, 0);
  assert.equal(all.spans().length, 0);
  assert.equal((await page.evaluate(() => tracer.stats())).live, 1);
  await page.goto(`${all.site.url}/other`);
  const [span] = await all.exactly("GET", 1);
  // Between the two lies a second, in which a busy machine may lose some time.
  assert.ok(duration(span) < (headers + whole) / 2, `${duration(span)} ms, headers after ${headers}, left after ${whole}`);
  assert.equal(span.status.code, 0);
  await page.finish();
});

test("more endless streams than may wait: the oldest spans end, none is abandoned", async () => {
  const page = await all.open({ use: BOTH, first: `
    // A network without end: answers at once, bodies never.
    window.fetch = async () => new Response(new ReadableStream({ start(controller) { controller.enqueue(new Uint8Array(1)); } }));` });
  const stats = await page.evaluate(async () => {
    for (let index = 0; index < 300; index++) {
      const reader = (await fetch(`/api/${index}`)).body.getReader();
      await reader.read();
    }
    return tracer.stats();
  });
  assert.deepEqual([stats.started, stats.live, stats.abandoned], [300, 64, 0]);
  await page.close();
});

test("without timing a span ends with its headers", async () => {
  const page = await all.open({ use: "traceFetch()" });
  await page.evaluate(async () => void (window.answer = await fetch("/api/endless")));
  const [span] = await all.exactly("GET", 1);
  assert.deepEqual(span.events, []);
  await page.finish();
});

test("a redirect is one span of the address that was asked for", async () => {
  const page = await all.open({ use: BOTH });
  await page.evaluate(async () => (await fetch("/api/redirect")).text());
  const [span] = await all.exactly("GET", 1);
  assert.equal(span.attributes["url.full"], `${all.site.url}/api/redirect`);
  assert.ok(span.events.some(({ name }) => name === "redirectStart"));
  assert.equal(toSite("/api/data")[0].headers.traceparent.slice(36, 52), span.spanId);
  await page.finish();
});

test("XMLHttpRequest: synchronous, used again, and opened anew while under way", async () => {
  const page = await all.open({ use: BOTH, tolerate: FAILURES });
  const seen = await page.evaluate(async () => {
    const request = new XMLHttpRequest();
    const ended = () => new Promise((resolve) => (request.onloadend = () => resolve(request.status)));
    request.open("GET", "/api/data", false);
    request.send();
    const answers = [request.status, JSON.parse(request.responseText).a];
    try {
      request.open("GET", "http://127.0.0.1:9/", false);
      request.send();
    } catch ({ name }) {
      answers.push(name);
    }
    for (const address of ["/api/data", "/api/missing", "/api/data"]) {
      request.open("get", address);
      request.setRequestHeader("x-own", "1");
      const end = ended();
      request.send();
      answers.push(await end);
    }
    // Dropped without an event, and then opened within "load", before "loadend".
    request.open("GET", "/api/never");
    request.send();
    request.open("GET", "/api/empty");
    const twice = new Promise((resolve) => {
      request.onload = () => {
        request.onload = resolve;
        request.open("GET", "/api/slow");
        request.send();
      };
    });
    request.onloadend = null;
    request.send();
    await twice;
    try {
      request.send();
    } catch ({ name }) {
      answers.push(name);
    }
    return answers;
  });
  assert.deepEqual(seen, [200, 1, "NetworkError", 200, 404, 200, "InvalidStateError"]);
  const spans = await all.exactly("GET", 8);
  const outcomes = spans.map((span) => `${new URL(span.attributes["url.full"]).pathname} ${span.attributes["error.type"] ?? span.attributes["http.response.status_code"].int}`);
  assert.deepEqual(outcomes.sort(), ["/ NetworkError", "/api/data 200", "/api/data 200", "/api/data 200", "/api/empty 204", "/api/never AbortError", "/api/missing 404", "/api/slow 200"].sort());
  const slow = spans.find((span) => span.attributes["url.full"].endsWith("/slow"));
  assert.ok(duration(slow) >= 280, "the end of the request before is not its end");
  assert.equal((await page.evaluate(() => tracer.stats())).live, 0);
  await page.finish();
});

test("a request that carries traceparent already is somebody else's: no span, and its header as it was", async () => {
  const page = await all.open({ use: BOTH });
  const mine = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  await page.evaluate(async (mine) => {
    await fetch("/api/data", { headers: { TraceParent: mine } });
    await fetch(new Request("/api/data", { headers: { traceparent: mine } }));
    await new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", "/api/data");
      request.setRequestHeader("TraceParent", mine);
      request.onloadend = resolve;
      request.send();
    });
  }, mine);
  assert.deepEqual(toSite("/api/data").map(({ headers }) => headers.traceparent), [mine, mine, mine]);
  assert.equal((await page.evaluate(() => tracer.stats())).started, 0);
  await page.finish();
});

test("query strings are left out unless wanted, and even then where one signs", async () => {
  const plain = "?q=1&design=2";
  const signed = ["?q=1&sig=secret", "?X-Goog-Signature=secret&q=1", "?AWSAccessKeyId=secret", "?q=1&Signature=secret"];
  for (const [options, expected] of [["", ""], ["{ recordQuery: true }", plain]]) {
    const page = await all.open({ use: `traceFetch(${options}), traceXhr(${options})` });
    await page.evaluate(async (queries) => {
      for (const query of queries) {
        await fetch(`/api/data${query}#secret`);
        await new Promise((resolve) => {
          const request = new XMLHttpRequest();
          request.open("GET", `/api/data${query}#secret`, true, "ann", "secret");
          request.onloadend = resolve;
          request.send();
        });
      }
    }, [plain, ...signed]);
    const spans = await all.exactly("GET", 10);
    const queries = spans.map((span) => span.attributes["url.full"].slice(`${all.site.url}/api/data`.length));
    assert.deepEqual(queries.sort(), [...Array(8).fill(""), expected, expected]);
    assert.ok(!all.collector.requests.some(({ bytes }) => bytes.includes("secret")));
    await page.finish();
  }
});

test("exports are never traced, by whomever they are sent", async () => {
  const page = await all.open({ use: `traceDocumentLoad(), ${BOTH}` });
  await all.exactly("documentLoad", 1);
  await page.evaluate(async (collector) => {
    for (let round = 0; round < 3; round++) {
      tracer.startSpan("work").end();
      await tracer.flush();
    }
    await fetch(`${collector}/v1/traces`, { method: "POST", body: "" });
  }, all.collector.url);
  await all.exactly("work", 3, 300);
  assert.equal(all.spans().filter(({ name }) => /GET|POST/.test(name)).length, 0);
  assert.ok(!all.spans().some(({ attributes }) => attributes["url.full"]?.startsWith(all.collector.url)));
  assert.ok(all.collector.preflights.every((headers) => headers === "content-type"), `${all.collector.preflights}`);
  await page.finish();
});

test("twice does not double; stopped they give back what they took", async () => {
  const first = "window.native = [fetch, XMLHttpRequest.prototype.open, XMLHttpRequest.prototype.send, XMLHttpRequest.prototype.setRequestHeader, history.pushState];";
  const page = await all.open({ first, use: `${BOTH}, ${BOTH}, traceWeb({ recordQuery: true }), traceWeb()` });
  await page.evaluate(() => fetch("/api/data?q=1").then((answer) => answer.text()));
  const [span] = await all.exactly("GET", 1);
  assert.equal(span.attributes["url.full"], `${all.site.url}/api/data`, "the first one's options count");
  const [wrapped, natives] = await page.evaluate(async () => {
    const natives = () => [fetch, XMLHttpRequest.prototype.open, XMLHttpRequest.prototype.send, XMLHttpRequest.prototype.setRequestHeader, history.pushState].map((fn, index) => fn === native[index]);
    const before = natives();
    await tracer.shutdown();
    const answers = [before, natives()];
    await fetch("/api/empty");
    const { traceFetch, traceXhr, traceTiming } = entries;
    start([traceFetch(), traceXhr(), traceTiming()]);
    await fetch("/api/empty");
    return answers;
  });
  assert.deepEqual(wrapped.slice(0, 4), Array(4).fill(false));
  assert.deepEqual(natives, Array(5).fill(true));
  await all.exactly("GET", 2);
  assert.deepEqual(toSite("/api/empty").map(({ headers }) => !!headers.traceparent), [false, true]);
  await page.finish();
});
