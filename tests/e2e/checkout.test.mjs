/** The main job: a click in the shop is one trace from the button to the payment provider, and the viewer shows it. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { byTestId, checkOut, keepScreenshot, openPage, startBrowser } from "./support/browser.mjs";
import { startShop, startViewer } from "./support/processes.mjs";
import { newTrace, spanNamed, spansOf } from "./support/viewer.mjs";

/** How far the browser's clock may be from the server's: both are this machine's, but a page only knows milliseconds. */
const CLOCK_ERROR = 20_000_000n;
/** Within one process: spans that end at different times may be dated by different readings of the system clock. */
const OWN_CLOCK_ERROR = 50_000n;

const SUCCESS = [
  "shop-web: checkout click", "shop-web: POST",
  "shop: POST /api/checkout", "shop: load cart", "shop: reserve stock", "shop: SELECT stock", "shop: charge card",
  "shop: POST", "shop: POST /payments/charge", "shop: authorize",
];

let viewer, shop, browser, page;

before(async () => {
  viewer = await startViewer();
  shop = await startShop(viewer.url);
  browser = await startBrowser();
  page = await openPage(browser, shop.url);
});

after(async () => {
  await browser?.close();
  await shop?.end();
  await viewer?.end();
});

test("a checkout is one trace, from the click to the payment provider", async () => {
  await keepScreenshot(page, "shop-before");
  const { state, traceId } = await checkOut(page);
  await keepScreenshot(page, "shop-done");
  assert.equal(state, "done");
  assert.deepEqual(page.problems, []);

  const spans = await spansOf(viewer, traceId, SUCCESS);
  assert.equal(spans.length, SUCCESS.length, "nothing else is in the trace");
  const trace = await newTrace(viewer, {});
  assert.equal(trace.trace_id, traceId, "and there is no other trace");
  assert.equal(trace.span_count, SUCCESS.length);
  assert.equal(trace.error_count, 0);
  assert.deepEqual([...trace.services].sort(), ["shop", "shop-web"]);

  const click = spanNamed(spans, "checkout click");
  const [pageRequest, paymentRequest] = ["shop-web", "shop"].map((service) =>
    spans.find((span) => span.service === service && span.name === "POST"));
  const parents = [
    [click, null, "INTERNAL"],
    [pageRequest, click, "CLIENT"],
    [spanNamed(spans, "POST /api/checkout"), pageRequest, "SERVER"],
    [spanNamed(spans, "load cart"), spanNamed(spans, "POST /api/checkout"), "INTERNAL"],
    [spanNamed(spans, "reserve stock"), spanNamed(spans, "POST /api/checkout"), "INTERNAL"],
    [spanNamed(spans, "SELECT stock"), spanNamed(spans, "reserve stock"), "CLIENT"],
    [spanNamed(spans, "charge card"), spanNamed(spans, "POST /api/checkout"), "INTERNAL"],
    [paymentRequest, spanNamed(spans, "charge card"), "CLIENT"],
    [spanNamed(spans, "POST /payments/charge"), paymentRequest, "SERVER"],
    [spanNamed(spans, "authorize"), spanNamed(spans, "POST /payments/charge"), "INTERNAL"],
  ];
  for (const [span, parent, kind] of parents) {
    assert.equal(span.parent_span_id, parent?.span_id ?? null, `the parent of ${span.name}`);
    assert.equal(span.kind, kind, `the kind of ${span.name}`);
    assert.equal(span.status.code, "UNSET", `the status of ${span.name}`);
    if (parent) assertWithin(span, parent);
  }
});

test("spans carry the attributes of the semantic conventions", async () => {
  const { traceId } = await checkOut(page);
  const spans = await spansOf(viewer, traceId, SUCCESS);
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
  assert.ok(length >= 140_000_000n && length < 5_000_000_000n, `the slow query took ${length} ns`);

  const reserved = spanNamed(spans, "reserve stock").events.map((event) => [event.name, event.attributes.item]);
  assert.deepEqual(reserved, [["reserved", "Ariadne’s ball of thread"], ["reserved", "map of the labyrinth"], ["reserved", "torch"]]);

  assert.equal((await newTrace(viewer, { q: "tenant_id=initech" })).trace_id, traceId, "the search finds it by its tenant");
});

test("a checkout that fails says so in every span it passes, with the exception", async () => {
  await byTestId(page, "fail").check();
  const { state, traceId } = await checkOut(page);
  await keepScreenshot(page, "shop-failed");
  await byTestId(page, "fail").uncheck();
  assert.equal(state, "failed");
  // The browser itself reports the 502.
  assert.equal(page.problems.splice(0).filter((problem) => !problem.includes("502")).length, 0);

  const spans = await spansOf(viewer, traceId, SUCCESS);
  const status = (span) => [span.status.code, span.attributes["http.response.status_code"], span.attributes["error.type"]];
  assert.deepEqual(status(spanNamed(spans, "POST /api/checkout")), ["ERROR", 502, "502"]);
  assert.deepEqual(status(spanNamed(spans, "POST /payments/charge")), ["ERROR", 503, "503"]);
  assert.deepEqual(status(spans.find((span) => span.service === "shop" && span.name === "POST")), ["ERROR", 503, "503"]);
  assert.deepEqual(status(spans.find((span) => span.service === "shop-web" && span.name === "POST")), ["ERROR", 502, "502"]);

  for (const [name, message] of [
    ["charge card", "the payment provider answered 503 Service Unavailable"],
    ["checkout click", "the payment provider answered 503 Service Unavailable"],
  ]) {
    const span = spanNamed(spans, name);
    assert.deepEqual(span.status, { code: "ERROR", message }, `the status of ${name}`);
    const [exception, ...others] = span.events.filter((event) => event.name === "exception");
    assert.equal(others.length, 0, `${name} has one exception`);
    assert.equal(exception?.attributes["exception.message"], message);
  }
  for (const name of ["load cart", "reserve stock", "SELECT stock"]) {
    assert.equal(spanNamed(spans, name).status.code, "UNSET", `${name} went well`);
  }
  assert.equal((await newTrace(viewer, { errors: "true" })).trace_id, traceId, "the filter for errors finds this one only");
});

test("the viewer lists the traces and draws the one that was clicked", async () => {
  const { traceId } = await newTrace(viewer, { errors: "true" }).then((trace) => ({ traceId: trace.trace_id }));
  const spans = await spansOf(viewer, traceId, SUCCESS);
  const view = await openPage(browser, viewer.url);
  const row = view.locator(`[data-testid="trace-row"][data-trace-id="${traceId}"]`);
  await row.waitFor();
  assert.equal(await byTestId(view, "trace-row").count(), 3);
  assert.match(await row.innerText(), /checkout click/);
  await keepScreenshot(view, "viewer-list");

  await row.click();
  await byTestId(view, "waterfall").waitFor();
  await view.waitForFunction((count) => document.querySelectorAll('[data-testid="span-row"]').length === count, spans.length);
  const rows = await byTestId(view, "span-row").evaluateAll((elements) => elements.map((element) => {
    const { spanId, service, kind, status } = element.dataset;
    return { spanId, service, kind, status, title: element.querySelector(".span-title").textContent };
  }));
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
  const link = byTestId(page, "trace-link");
  const { traceId } = await checkOut(page);
  assert.equal(await link.getAttribute("href"), `${viewer.url}/#/trace/${traceId}`);
  const view = await openPage(browser, await link.getAttribute("href"));
  await view.waitForFunction((count) => document.querySelectorAll('[data-testid="span-row"]').length === count, SUCCESS.length);
  await keepScreenshot(view, "viewer-trace");
  await view.close();
});

/** Fails unless `child` happened while `parent` did, within the error of the clocks. */
function assertWithin(child, parent) {
  const error = child.service === parent.service ? OWN_CLOCK_ERROR : CLOCK_ERROR;
  const [begin, end] = [BigInt(parent.start_time_unix_nano) - error, BigInt(parent.end_time_unix_nano) + error];
  const [from, to] = [BigInt(child.start_time_unix_nano), BigInt(child.end_time_unix_nano)];
  assert.ok(begin <= from && from <= to && to <= end, `${child.name} (${from} to ${to}) is not within ${parent.name} (${begin} to ${end})`);
}
