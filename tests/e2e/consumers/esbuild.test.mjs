/** A page built by esbuild, as README.md shows it first: its load, a click, what comes after an await, and what a bundle leaves out. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { openPage, startBrowser } from "../support/browser.mjs";
import { arrival, build, directoryOf, evaluation, install, serve } from "../support/consumer.mjs";
import { startCollector } from "../support/site.mjs";
import { until } from "../support/viewer.mjs";

let files, site, collector, browser, page;

before(async () => {
  await install("esbuild");
  files = await build("esbuild");
  collector = await startCollector();
  const html = readFileSync(path.join(directoryOf("esbuild"), "index.html"), "utf8");
  const json = (body) => ({ body: JSON.stringify(body), type: "application/json" });
  site = await serve({ ...files, "index.html": html, "style.css": "body { margin: 2em; }" }, collector, {
    pages: { "/api/checkout": json({}), "/api/orders": json([7, 8]), "/api/orders/7": json({}), "/api/orders/8": json({}) },
  });
  browser = await startBrowser();
  page = await openPage(browser, site.url);
});

after(async () => {
  await browser?.close();
  await Promise.all([site, collector].map((server) => server?.end()));
});

/** The `traceparent` that reached the site with the only request for a path. */
function received(path) {
  const found = site.requests.filter((request) => request.path === path);
  assert.equal(found.length, 1, `one request for ${path}`);
  return found[0].headers.traceparent;
}

const traceparentOf = ({ traceId, spanId }) => `00-${traceId}-${spanId}-03`;

test("three lines trace the page's load, its script and its stylesheet", async () => {
  const [load] = await arrival(collector, "documentLoad");
  assert.equal(load.parentSpanId, "");
  const parts = [...(await arrival(collector, "documentFetch")), ...(await arrival(collector, "resourceFetch", 2))];
  assert.ok(parts.every(({ traceId, parentSpanId }) => traceId === load.traceId && parentSpanId === load.spanId));
  const addresses = parts.map(({ attributes }) => attributes["url.full"]);
  assert.deepEqual(addresses.sort(), [`${site.url}/`, `${site.url}/main.js`, `${site.url}/style.css`]);
});

test("a click, a span of one's own and a request are one trace, which the server continues", async () => {
  await page.click("#checkout");
  const [request] = await arrival(collector, "POST");
  const [click] = await arrival(collector, "click");
  const [checkout] = await arrival(collector, "checkout");
  assert.equal(click.parentSpanId, "");
  assert.equal(checkout.parentSpanId, click.spanId);
  assert.equal(request.parentSpanId, checkout.spanId);
  assert.equal(received("/api/checkout"), traceparentOf(request));
  assert.deepEqual(checkout.attributes, { "cart.items": { int: 3 } });
  assert.deepEqual(checkout.events.map(({ name, attributes }) => [name, attributes]), [["answered", { ok: true }]]);
});

test("after an await, run and parent keep to the trace", async () => {
  await page.click("#report");
  const [report] = await arrival(collector, "report");
  const [drawing] = await arrival(collector, "draw");
  const requests = await arrival(collector, "GET", 3);
  assert.equal(drawing.parentSpanId, report.spanId);
  assert.deepEqual(drawing.attributes, { orders: { int: 2 } });
  for (const [index, address] of ["/api/orders", "/api/orders/7", "/api/orders/8"].entries()) {
    const request = requests.find(({ attributes }) => attributes["url.full"] === site.url + address);
    assert.equal(request.parentSpanId, report.spanId, `the parent of request ${index}`);
    assert.equal(received(address), traceparentOf(request));
  }
});

test("the page counts every span, and complains of nothing", async () => {
  // A busy machine is late with frames, which are spans as well.
  const stats = await until("a moment in which all has arrived", async () => {
    const stats = await page.evaluate(async () => {
      await window.tracer.flush();
      return window.tracer.stats();
    });
    return stats.delivered === collector.spans().length ? stats : undefined;
  });
  const { started, live, batched, waiting, delivered, rejected, abandoned, batchFull, undelivered } = stats;
  assert.equal(started, live + batched + waiting + delivered + rejected + abandoned + batchFull + undelivered);
  assert.ok(delivered > 0);
  assert.deepEqual(page.problems, []);
});

test("a bundle holds what it uses, and nothing that makes code of texts", () => {
  const marks = { "main.js": ["documentLoad", "long-animation-frame", "indexedDB"], "lean.js": [] };
  for (const [name, wanted] of Object.entries(marks)) {
    const text = files[name];
    assert.equal(evaluation(text), undefined, name);
    for (const mark of ["documentLoad", "long-animation-frame", "indexedDB", "web_vital", "page visible", "session.id", "setGlobalTracerProvider"]) {
      assert.equal(text.includes(mark), wanted.includes(mark), `"${mark}" in ${name}`);
    }
  }
});
