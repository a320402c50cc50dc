/** What a page's instrumentations see, in a real Chromium: spans, parents, and headers where they belong and nowhere else. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openPage, startBrowser } from "./support/browser.mjs";
import { delivered } from "./support/instrumented.mjs";
import { page, startCollector, startSite } from "./support/site.mjs";
import { until } from "./support/viewer.mjs";

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/;
const SERVER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let browser, site, other, collector;
const collectors = [];

const setUp = (rest) => `
  import { init } from "/clewline/index.mjs";
  import { traceWeb } from "/clewline/web.mjs";
  const endpoint = ${JSON.stringify(collector.url)};
  const tracer = (window.tracer = init({ serviceName: "page", endpoint, flushInterval: 50, ...(window.options ?? {}),
    instrumentations: [traceWeb({ propagateTo: window.propagateTo ?? [] })] }));
  ${rest ?? ""}`;

before(async () => {
  browser = await startBrowser();
  other = await startSite({
    "/listed/data": { body: "{}", headers: { "access-control-allow-origin": "*", "access-control-allow-headers": "traceparent" } },
    "/data": { body: "{}", headers: { "access-control-allow-origin": "*" } },
  });
  site = await startSite({
    "/": () => page(setUp()),
    "/plain": () => page(setUp(), "", '<button id="buy"><b>Buy</b></button><label><input type="checkbox">x</label><p id="text">text</p><form id="order"><button id="send">Send</button></form>'),
    "/timed": () => ({ body: page(setUp(), `<link rel="stylesheet" href="/style.css">`), headers: { "server-timing": `traceparent;desc="${SERVER}"` } }),
    "/meta": () => page(setUp(), `<meta name="traceparent" content="${SERVER}">`),
    "/loading": () => page(setUp('await fetch("/api/first");')),
    "/elsewhere": () => page(setUp()),
    "/style.css": "body {}",
    "/api/first": { body: "{}", type: "application/json" },
    "/api/data": { body: "{}", type: "application/json" },
    "/api/missing": { status: 404, body: "" },
    "/api/slow-body": async (_, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      response.write("begun ");
      setTimeout(() => response.end("ended"), 300);
      return null;
    },
    "/api/endless": async (_, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write("data: first\n\n");
      return null;
    },
  });
});

after(async () => {
  await browser?.close();
  await Promise.all([site, other, ...collectors].map((server) => server?.end()));
});

/** Opens a page of the site with a collector of its own; requests that came before are forgotten. */
async function open(path, globals = "") {
  collectors.push((collector = await startCollector()));
  site.requests.length = other.requests.length = 0;
  const context = await browser.newContext();
  if (globals) await context.addInitScript(globals);
  const opened = await openPage(context, site.url + path);
  opened.finish = async (tolerate) => {
    assert.deepEqual(opened.problems.filter((problem) => !tolerate?.test(problem)), []);
    await context.close();
  };
  return opened;
}

/** Waits for spans that satisfy `wanted`, and answers all of that name. */
const arrived = (name, count = 1) =>
  until(() => `${count} spans named ${name}, of ${collector.spans().map((span) => span.name)}`, () => {
    const found = collector.spans().filter((span) => span.name === name);
    return found.length >= count ? found : undefined;
  });

test("the page's load is a trace with its document and resources", async () => {
  const opened = await open("/timed");
  const [load] = await arrived("documentLoad");
  assert.equal(load.traceId, SERVER.slice(3, 35));
  assert.equal(load.parentSpanId, SERVER.slice(36, 52));
  assert.equal(load.attributes["url.full"], `${site.url}/timed`);
  const events = load.events.map(({ name }) => name);
  for (const name of ["domInteractive", "domContentLoadedEventEnd", "loadEventEnd"]) assert.ok(events.includes(name), `${name} in ${events}`);
  const [document] = await arrived("documentFetch");
  assert.equal(document.parentSpanId, load.spanId);
  assert.deepEqual(document.attributes["http.response.status_code"], { int: 200 });
  assert.ok(document.start >= load.start && document.end <= load.end && load.end > load.start);
  const resources = await arrived("resourceFetch", 2);
  assert.ok(resources.every((span) => span.parentSpanId === load.spanId && span.end >= span.start));
  assert.ok(resources.some((span) => span.attributes["url.full"] === `${site.url}/style.css`));
  assert.ok(!resources.some((span) => span.attributes["url.full"].startsWith(collector.url)));
  const age = BigInt(Date.now()) * 1_000_000n - load.start;
  assert.ok(age > 0n && age < 60_000_000_000n, `it began ${age} ns ago`);
  await opened.finish();
});

test("a meta element names the server's span as well, and without either the load is the root", async () => {
  const meta = await open("/meta");
  assert.equal((await arrived("documentLoad"))[0].parentSpanId, SERVER.slice(36, 52));
  await meta.finish();
  const plain = await open("/?user=secret#part");
  const [load] = await arrived("documentLoad");
  assert.equal(load.parentSpanId, "");
  assert.equal(load.attributes["url.full"], `${site.url}/`);
  await plain.finish();
});

test("requests made while the page loads belong to its load, later ones do not", async () => {
  const opened = await open("/loading");
  const [load] = await arrived("documentLoad");
  const [first] = await arrived("GET");
  assert.equal(first.parentSpanId, load.spanId);
  await opened.evaluate(() => fetch("/api/data"));
  const later = (await arrived("GET", 2))[1];
  assert.equal(later.parentSpanId, "");
  await opened.finish();
});

test("headers go to the own origin and to those listed, by fetch and by XMLHttpRequest, without further preflights", async () => {
  const opened = await open("/", `window.propagateTo = [${JSON.stringify(`${other.url}/listed`)}]`);
  const answers = await opened.evaluate(async (elsewhere) => {
    const byXhr = (address) => new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", address);
      request.onloadend = () => resolve(request.status);
      request.send();
    });
    const statuses = [];
    for (const address of ["/api/data", `${elsewhere}/listed/data`, `${elsewhere}/data`]) {
      statuses.push((await fetch(address)).status, await byXhr(address));
    }
    return statuses;
  }, other.url);
  assert.deepEqual(answers, Array(6).fill(200));
  const spans = await arrived("GET", 6);
  const seen = [...site.requests, ...other.requests].filter(({ method, path }) => method === "GET" && /data$/.test(path));
  assert.equal(seen.length, 6);
  for (const { path, headers } of seen) {
    if (path === "/data") assert.equal(headers.traceparent, undefined, "a stranger learns nothing");
    else {
      assert.match(headers.traceparent, TRACEPARENT);
      assert.ok(spans.some((span) => span.spanId === headers.traceparent.slice(36, 52)));
    }
  }
  // For the listed origin, once or twice, as the browser remembers; for the other, never.
  const preflights = other.requests.filter(({ method }) => method === "OPTIONS");
  assert.ok(preflights.length >= 1 && preflights.length <= 2 && preflights.every(({ path }) => path === "/listed/data"), JSON.stringify(preflights.map(({ path }) => path)));
  assert.ok(spans.every((span) => span.kind === 3 && span.attributes["http.response.status_code"].int === 200));
  await opened.finish();
});

test("a request's span ends with its body, and tells its phases", async () => {
  const opened = await open("/");
  await opened.evaluate(async () => (await fetch("/api/slow-body")).text());
  const [span] = await arrived("GET");
  assert.ok(span.end - span.start >= 280_000_000n, `${span.end - span.start} ns`);
  const phases = span.events.map(({ name }) => name);
  assert.deepEqual(phases.filter((name) => /^(requestStart|responseStart|responseEnd)$/.test(name)), ["requestStart", "responseStart", "responseEnd"]);
  assert.ok(span.events.every(({ time }, index, all) => index === 0 || time >= all[index - 1].time), "in order");
  assert.deepEqual(span.attributes["http.response.body.size"], { int: 11 });
  await opened.finish();
});

test("an endless stream ends where its headers arrived, when the page is left", async () => {
  const opened = await open("/");
  const [headers, whole] = await opened.evaluate(async () => {
    const begun = performance.now();
    const response = await fetch("/api/endless");
    const headers = performance.now() - begun;
    window.reader = response.body.getReader();
    await window.reader.read();
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return [headers, performance.now() - begun];
  });
  await delivered(opened, 0);
  assert.equal(collector.spans().filter(({ name }) => name === "GET").length, 0);
  await opened.goto(`${site.url}/elsewhere`);
  const [span] = await arrived("GET");
  const duration = Number(span.end - span.start) / 1e6;
  // Between the two lies a second, in which a busy machine may lose some time.
  assert.ok(duration < (headers + whole) / 2, `${duration} ms, headers after ${headers}, left after ${whole}`);
  await opened.finish();
});

test("failures are told apart: an answer, none, and an abort", async () => {
  const opened = await open("/");
  await opened.evaluate(async () => {
    await fetch("/api/missing");
    await fetch("http://127.0.0.1:9/").catch(() => {});
    const controller = new AbortController();
    const request = fetch("/api/endless", { signal: controller.signal }).catch(() => {});
    controller.abort();
    await request;
    await new Promise((resolve) => {
      const request = new XMLHttpRequest();
      request.open("GET", "http://127.0.0.1:9/");
      request.onloadend = resolve;
      request.send();
    });
  });
  const spans = await arrived("GET", 4);
  assert.ok(spans.every((span) => span.status.code === 2));
  assert.deepEqual(spans.map((span) => span.attributes["error.type"]).sort(), ["404", "AbortError", "NetworkError", "TypeError"]);
  await opened.finish(/Failed to load resource/);
});

test("a gesture is one span, and what its listeners start belongs to it", async () => {
  const opened = await open("/plain");
  await opened.evaluate(() => {
    document.getElementById("buy").addEventListener("click", () => void fetch("/api/data"));
    document.getElementById("order").addEventListener("submit", (event) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      void fetch("/api/first");
    });
  });
  await opened.click("#buy b");
  await opened.click("input");
  await opened.click("label", { position: { x: 20, y: 5 } });
  await opened.click("#text");
  await opened.click("#send");
  const clicks = await arrived("click", 4);
  await arrived("GET", 2);
  // What there is too much, if anything, would have been recorded by now.
  await delivered(opened);
  const all = collector.spans();
  assert.deepEqual(all.filter(({ name }) => name === "click").map((span) => span.attributes["ui.element"]), ["button#buy", "input", "label", "button#send"]);
  assert.equal(all.filter(({ name }) => name === "submit").length, 0, "it is part of the click");
  // Sorted, because the answers come in any order.
  const requests = all.filter(({ name }) => name === "GET").map((span) => clicks.find((click) => click.spanId === span.parentSpanId)?.attributes["ui.element"]);
  assert.deepEqual(requests.sort(), ["button#buy", "button#send"]);
  assert.ok(clicks.every((span) => span.parentSpanId === "" && span.attributes["ui.trusted"] === true));
  await opened.finish();
});

test("changes of route are spans, by the Navigation API and without it", async () => {
  for (const [globals, types] of [["", ["push", "replace", "traverse"]], ["delete window.navigation; Object.defineProperty(window, 'navigation', { value: undefined })", ["push", "replace", "traverse"]]]) {
    const opened = await open("/", globals);
    await opened.evaluate(async () => {
      const rest = () => new Promise((resolve) => setTimeout(resolve, 50));
      history.pushState({}, "", "/cart?user=secret");
      await rest();
      history.replaceState({}, "", "/checkout");
      await rest();
      location.hash = "part";
      await rest();
      await new Promise((resolve) => {
        addEventListener("popstate", resolve, { once: true });
        history.go(-2);
      });
      await rest();
    });
    const spans = await arrived("navigation", 3);
    assert.deepEqual(spans.map((span) => [span.attributes["browser.navigation.type"], span.attributes["url.path"]]), [
      [types[0], "/cart"],
      [types[1], "/checkout"],
      [types[2], "/"],
    ]);
    await opened.finish();
  }
});

test("errors that nobody caught are spans, each once", async () => {
  const opened = await open("/");
  await opened.evaluate(async () => {
    const error = new RangeError("too far");
    setTimeout(() => { throw error; });
    setTimeout(() => { throw error; });
    void Promise.reject(new TypeError("not handled"));
    void Promise.reject("just text");
    await new Promise((resolve) => setTimeout(resolve));
  });
  await arrived("uncaught exception");
  await delivered(opened);
  const [uncaught, ...others] = await arrived("uncaught exception");
  assert.equal(others.length, 0);
  assert.equal(uncaught.attributes["error.type"], "RangeError");
  assert.equal(uncaught.events[0].attributes["exception.message"], "too far");
  assert.deepEqual(uncaught.status, { code: 2, message: "too far" });
  const rejections = await arrived("unhandled rejection", 2);
  assert.deepEqual(rejections.map((span) => span.events[0].attributes["exception.message"]), ["not handled", "just text"]);
  await opened.finish(/too far|not handled|just text/);
});

test("a frame that kept the page from answering is a span", async () => {
  const opened = await open("/");
  await opened.evaluate(async () => {
    await new Promise((resolve) => setTimeout(() => {
      const end = performance.now() + 120;
      while (performance.now() < end);
      resolve();
    }));
  });
  // Loading the page may have taken long as well, and says so in a span of its own.
  const isLong = ({ name, start, end }) => name === "long-animation-frame" && end - start >= 100_000_000n;
  await until(() => `a long frame, of ${collector.spans().map(({ name }) => name)}`, () => collector.spans().find(isLong));
  await opened.finish();
});

test("web vitals, visibility and the session, each its own import", async () => {
  const opened = await open("/");
  const ids = await opened.evaluate(async (endpoint) => {
    await window.tracer.shutdown();
    const { init } = await import("/clewline/index.mjs");
    const { traceWebVitals } = await import("/clewline/web-vitals.mjs");
    const { traceVisibility } = await import("/clewline/visibility.mjs");
    const { browser, session } = await import("/clewline/session.mjs");
    const report = (name) => (callback) => callback({ name, value: 12.5, delta: 12.5, rating: "good", id: "v5-1", navigationType: "navigate" });
    const resource = { ...session(), ...browser() };
    const tracer = init({ serviceName: "page", endpoint, resource, instrumentations: [traceWebVitals({ onLCP: report("LCP"), onCLS: report("CLS") }), traceVisibility()] });
    await tracer.shutdown();
    return [resource["session.id"], session()["session.id"], navigator.language];
  }, collector.url);
  const [vital] = await arrived("browser.web_vital lcp");
  assert.deepEqual([vital.attributes["browser.web_vital.value"], vital.attributes["browser.web_vital.rating"], vital.end - vital.start], [12.5, "good", 0n]);
  await arrived("browser.web_vital cls");
  await arrived("page visible");
  assert.match(ids[0], /^[0-9a-f]{32}$/);
  assert.equal(ids[0], ids[1]);
  await opened.finish();
});

test("everything ends with shutdown", async () => {
  const opened = await open("/plain");
  await arrived("documentLoad");
  const before = await opened.evaluate(async () => {
    await window.tracer.shutdown();
    return window.tracer.stats().started;
  });
  await opened.click("#buy");
  const stats = await opened.evaluate(async () => {
    await fetch("/api/data");
    history.pushState({}, "", "/cart");
    return window.tracer.stats();
  });
  assert.equal(stats.started, before);
  assert.equal(site.requests.find(({ path }) => path === "/api/data").headers.traceparent, undefined);
  await opened.finish();
});
