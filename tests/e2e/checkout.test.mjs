/** The main job: a visit to the shop is one trace, from the load of the page and a click to the payment provider, and the viewer shows it. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { byTestId, checkOut, keepScreenshot, openPage, startBrowser } from "./support/browser.mjs";
import { startShop, startViewer } from "./support/processes.mjs";
import { newTrace, spanNamed, spansOf, until } from "./support/viewer.mjs";

/** How far the browser's clock may be from the server's: both are this machine's, but a page may have to wait between the readings that relate its clock to it. */
const CLOCK_ERROR = 500_000_000n;
/** Within one process: spans that end at different times may be dated by different readings of the system clock. */
const OWN_CLOCK_ERROR = 50_000n;

const LOAD = [
  "shop-web: documentLoad", "shop-web: documentFetch",
  ...Array(3).fill("shop-web: resourceFetch"),
  "shop-web: GET", "shop: GET /api/cart", "shop: load cart",
];
const CHECKOUT = [
  "shop-web: click", "shop-web: checkout", "shop-web: POST",
  "shop: POST /api/checkout", "shop: load cart", "shop: reserve stock", "shop: SELECT stock", "shop: charge card",
  "shop: POST", "shop: POST /payments/charge", "shop: authorize",
];
const VISIT = [...LOAD, ...CHECKOUT];

let viewer, shop, browser;

before(async () => {
  viewer = await startViewer();
  shop = await startShop(viewer.url);
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await shop?.end();
  await viewer?.end();
});

/** Visits the shop, with `fail` for a payment that is refused, and checks out; answers the page, the outcome and the visit's spans. */
async function visit({ fail = false } = {}) {
  const page = await openPage(browser, shop.url);
  if (fail) await byTestId(page, "fail").check();
  const { state, traceId } = await checkOut(page);
  return { page, state, traceId, spans: settled(await spansOf(viewer, traceId, VISIT)) };
}

/** Without the frames that a busy machine was late with, and the gesture that chose the outcome. */
const settled = (spans) =>
  spans.filter(({ name, attributes }) => name !== "long-animation-frame" && attributes["ui.element"] !== "input[data-testid=fail]");

const child = (spans, parent, name) => spans.find((span) => span.parent_span_id === parent.span_id && span.name === name);

test("a visit is one trace, from the load of the page to the payment provider", async () => {
  const before = await openPage(browser, shop.url);
  await byTestId(before, "checkout").and(before.locator(":enabled")).waitFor();
  await keepScreenshot(before, "shop-before");
  await before.close();
  const { page, state, traceId, spans } = await visit();
  await keepScreenshot(page, "shop-done");
  assert.equal(state, "done");
  assert.deepEqual(page.problems, []);
  await page.close();

  assert.deepEqual(spans.map(({ service, name }) => `${service}: ${name}`).sort(), VISIT.toSorted(), "nothing else is in the trace");
  const trace = await newTrace(viewer, { operation: "checkout" });
  assert.equal(trace.trace_id, traceId, "and no other trace has a checkout");
  assert.equal(trace.error_count, 0);
  assert.deepEqual(trace.root, { service: "shop-web", name: "documentLoad", kind: "INTERNAL" });
  assert.deepEqual([...trace.services].sort(), ["shop", "shop-web"]);

  const load = spanNamed(spans, "documentLoad");
  const [cartRequest, click] = ["GET", "click"].map((name) => child(spans, load, name));
  const checkout = spanNamed(spans, "checkout");
  const [cart, order] = ["GET /api/cart", "POST /api/checkout"].map((name) => spanNamed(spans, name));
  const [pageRequest, paymentRequest] = ["shop-web", "shop"].map((service) =>
    spans.find((span) => span.service === service && span.name === "POST"));
  const parents = [
    [load, null, "INTERNAL"],
    [spanNamed(spans, "documentFetch"), load, "CLIENT"],
    ...spans.filter(({ name }) => name === "resourceFetch").map((span) => [span, load, "CLIENT"]),
    [cart, cartRequest, "SERVER"],
    [child(spans, cart, "load cart"), cart, "INTERNAL"],
    [checkout, click, "INTERNAL"],
    [pageRequest, checkout, "CLIENT"],
    [order, pageRequest, "SERVER"],
    [child(spans, order, "load cart"), order, "INTERNAL"],
    [spanNamed(spans, "reserve stock"), order, "INTERNAL"],
    [spanNamed(spans, "SELECT stock"), spanNamed(spans, "reserve stock"), "CLIENT"],
    [spanNamed(spans, "charge card"), order, "INTERNAL"],
    [paymentRequest, spanNamed(spans, "charge card"), "CLIENT"],
    [spanNamed(spans, "POST /payments/charge"), paymentRequest, "SERVER"],
    [spanNamed(spans, "authorize"), spanNamed(spans, "POST /payments/charge"), "INTERNAL"],
  ];
  for (const [span, parent, kind] of parents) {
    assert.equal(span.parent_span_id, parent?.span_id ?? null, `the parent of ${span.name}`);
    assert.equal(span.kind, kind, `the kind of ${span.name}`);
    assert.equal(span.status.code, "UNSET", `the status of ${span.name}`);
    // A click is over before what its listeners began.
    if (parent && parent !== click) assertWithin(span, parent);
  }
  for (const early of [cartRequest, click, checkout]) assert.ok(BigInt(early.start_time_unix_nano) >= BigInt(load.start_time_unix_nano));
});

test("spans carry the attributes of the semantic conventions", async () => {
  const { page, traceId, spans } = await visit();
  await page.close();
  const { hostname, port, host } = new URL(shop.url);
  const picked = (span, ...keys) => Object.fromEntries(keys.map((key) => [key, span.attributes[key]]));

  const server = spanNamed(spans, "POST /api/checkout");
  const known = {
    "http.request.method": "POST", "http.route": "/api/checkout", "http.response.status_code": 200, "url.path": "/api/checkout",
    "url.scheme": "http", "url.query": undefined, "server.address": hostname, "server.port": Number(port),
    "network.protocol.version": "1.1", "client.address": "127.0.0.1", "error.type": undefined, tenant_id: "initech",
  };
  assert.deepEqual(picked(server, ...Object.keys(known)), known);
  assert.match(server.attributes["user_agent.original"], /^Mozilla\/5\.0 .*Chrome\//);

  const outgoing = spans.find((span) => span.service === "shop" && span.name === "POST");
  const sent = {
    "http.request.method": "POST", "url.full": `http://${host}/payments/charge`, "server.address": hostname,
    "server.port": Number(port), "http.response.status_code": 204, "error.type": undefined,
  };
  assert.deepEqual(picked(outgoing, ...Object.keys(sent)), sent);

  const query = spanNamed(spans, "SELECT stock");
  assert.match(query.attributes["db.query.text"], /^SELECT .* FOR UPDATE$/);
  assert.equal(query.attributes["db.system.name"], "postgresql");
  const length = BigInt(query.end_time_unix_nano) - BigInt(query.start_time_unix_nano);
  assert.ok(length >= 140_000_000n, `the slow query took ${length} ns`);

  const reserved = spanNamed(spans, "reserve stock").events.map((event) => [event.name, event.attributes.item]);
  assert.deepEqual(reserved, [["reserved", "Ariadne’s ball of thread"], ["reserved", "map of the labyrinth"], ["reserved", "torch"]]);

  assert.equal((await newTrace(viewer, { q: "tenant_id=initech" })).trace_id, traceId, "the search finds it by its tenant");
});

test("a checkout that fails says so in every span it passes, with the exception", async () => {
  const { page, state, traceId, spans } = await visit({ fail: true });
  await keepScreenshot(page, "shop-failed");
  assert.equal(state, "failed");
  // The browser itself reports the 502.
  assert.deepEqual(page.problems.filter((problem) => !problem.includes("502")), []);
  await page.close();

  const status = (span) => [span.status.code, span.attributes["http.response.status_code"], span.attributes["error.type"]];
  assert.deepEqual(status(spanNamed(spans, "POST /api/checkout")), ["ERROR", 502, "502"]);
  assert.deepEqual(status(spanNamed(spans, "POST /payments/charge")), ["ERROR", 503, "503"]);
  assert.deepEqual(status(spans.find((span) => span.service === "shop" && span.name === "POST")), ["ERROR", 503, "503"]);
  assert.deepEqual(status(spans.find((span) => span.service === "shop-web" && span.name === "POST")), ["ERROR", 502, "502"]);

  for (const [name, message] of [
    ["charge card", "the payment provider answered 503 Service Unavailable"],
    ["checkout", "the payment provider answered 503 Service Unavailable"],
  ]) {
    const span = spanNamed(spans, name);
    assert.deepEqual(span.status, { code: "ERROR", message }, `the status of ${name}`);
    const [exception, ...others] = span.events.filter((event) => event.name === "exception");
    assert.equal(others.length, 0, `${name} has one exception`);
    assert.equal(exception?.attributes["exception.message"], message);
  }
  for (const name of ["documentLoad", "GET /api/cart", "reserve stock", "SELECT stock"]) {
    assert.equal(spanNamed(spans, name).status.code, "UNSET", `${name} went well`);
  }
  assert.equal((await newTrace(viewer, { errors: "true" })).trace_id, traceId, "the filter for errors finds this one only");
});

test("the viewer lists the traces and draws the one that was clicked", async () => {
  const { traceId } = await newTrace(viewer, { errors: "true" }).then((trace) => ({ traceId: trace.trace_id }));
  const view = await openPage(browser, viewer.url);
  const row = view.locator(`[data-testid="trace-row"][data-trace-id="${traceId}"]`);
  await row.waitFor();
  const visits = byTestId(view, "trace-row").filter({ hasText: "documentLoad" });
  await until("three visits", async () => ((await visits.count()) >= 3 ? true : undefined));
  assert.match(await row.innerText(), /documentLoad/);
  await keepScreenshot(view, "viewer-list");

  await row.click();
  await byTestId(view, "waterfall").waitFor();
  // What a busy machine tells of late frames may come later than the visit's own spans.
  let spans, rows;
  await until(() => `${spans?.length} rows, there are ${rows?.length}`, async () => {
    spans = await spansOf(viewer, traceId, VISIT);
    rows = await byTestId(view, "span-row").evaluateAll((elements) => elements.map((element) => {
      const { spanId, service, kind, status } = element.dataset;
      return { spanId, service, kind, status, title: element.querySelector(".span-title").textContent };
    }));
    return rows.length === spans.length || undefined;
  });
  const expected = spans.map((span) => (
    { spanId: span.span_id, service: span.service, kind: span.kind, status: span.status.code, title: span.name }));
  assert.deepEqual(rows, expected);
  await keepScreenshot(view, "viewer-failed-trace");

  await view.locator(`[data-span-id="${spanNamed(spans, "charge card").span_id}"]`).click();
  const details = byTestId(view, "span-details");
  await details.getByText("the payment provider answered 503 Service Unavailable").first().waitFor();
  await keepScreenshot(view, "viewer-exception");
  assert.deepEqual(view.problems, []);
  await view.close();
});

test("the link on the page leads to the trace, which appears while it is looked at", async () => {
  const page = await openPage(browser, shop.url);
  const { traceId } = await checkOut(page);
  const href = await byTestId(page, "trace-link").getAttribute("href");
  assert.equal(href, `${viewer.url}/#/trace/${traceId}`);
  const view = await openPage(browser, href);
  await view.waitForFunction((count) => document.querySelectorAll('[data-testid="span-row"]').length >= count, VISIT.length);
  await keepScreenshot(view, "viewer-trace");
  await page.close();
  await view.close();
});

/** Fails unless `child` happened while `parent` did, within the error of the clocks. */
function assertWithin(child, parent) {
  const error = child.service === parent.service ? OWN_CLOCK_ERROR : CLOCK_ERROR;
  const [begin, end] = [BigInt(parent.start_time_unix_nano) - error, BigInt(parent.end_time_unix_nano) + error];
  const [from, to] = [BigInt(child.start_time_unix_nano), BigInt(child.end_time_unix_nano)];
  assert.ok(begin <= from && from <= to && to <= end, `${child.name} (${from} to ${to}) is not within ${parent.name} (${begin} to ${end})`);
}
