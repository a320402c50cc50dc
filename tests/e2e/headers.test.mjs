/** What the shop makes of `traceparent` headers: good ones continue, all others begin a new trace and are answered all the same. */

import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";

import { startShop, startViewer } from "./support/processes.mjs";
import { api, newTrace, spanNamed, spansOf } from "./support/viewer.mjs";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT_ID = "b7ad6b7169203331";
const GOOD = `00-${TRACE_ID}-${PARENT_ID}-01`;
const FILTER = { service: "shop", operation: "POST /api/checkout" };
const SERVER = ["shop: POST /api/checkout", "shop: POST /payments/charge"];

let viewer, shop;

before(async () => {
  viewer = await startViewer();
  shop = await startShop(viewer.url);
});

after(async () => {
  await shop?.end();
  await viewer?.end();
});

/** Sends a checkout with these `traceparent` lines; answers the status. */
async function checkOut(lines, wish = "?fail=0") {
  const headers = lines.length > 0 ? { traceparent: lines } : {};
  const request = http.request(`${shop.url}/api/checkout${wish}`, { method: "POST", headers });
  request.end();
  const [response] = await once(request, "response");
  response.resume();
  await once(response, "end");
  return response.statusCode;
}

test("a good header continues its trace", async () => {
  assert.equal(await checkOut([GOOD]), 200);
  const spans = await spansOf(viewer, TRACE_ID, SERVER);
  const server = spanNamed(spans, "POST /api/checkout");
  assert.equal(server.parent_span_id, PARENT_ID);
  // OTLP, "Span flags": bit 8 says that bit 9 is known, bit 9 that the parent is remote; bit 0 is sampled.
  assert.equal(server.flags & 0x301, 0x301);
});

for (const [what, lines] of [
  ["no header", []],
  ["an empty header", [""]],
  ["a word", ["malformed"]],
  ["capitals", [GOOD.toUpperCase()]],
  ["a zero trace id", [`00-${"0".repeat(32)}-${PARENT_ID}-01`]],
  ["a zero parent id", [`00-${TRACE_ID}-${"0".repeat(16)}-01`]],
  ["the forbidden version", [GOOD.replace("00-", "ff-")]],
  ["a header that is too long", [`${GOOD}-and-more`]],
  ["two headers", [GOOD, GOOD]],
  ["ten thousand bytes", ["0".repeat(10_000)]],
]) {
  test(`${what}: 200 and a new trace`, async () => {
    const { traces } = await api(viewer, "/api/traces?limit=1000");
    const known = new Set(traces.map((trace) => trace.trace_id));
    assert.equal(await checkOut(lines), 200);
    const trace = await newTrace(viewer, FILTER, known);
    const server = spanNamed(await spansOf(viewer, trace.trace_id, SERVER), "POST /api/checkout");
    assert.equal(server.parent_span_id, null);
    assert.notEqual(trace.trace_id, TRACE_ID);
  });
}

test("a header that says not sampled is obeyed", async () => {
  const other = TRACE_ID.replace("0af", "fff");
  assert.equal(await checkOut([`00-${other}-${PARENT_ID}-00`]), 200);
  // Its spans would have left before those of a later request.
  const later = TRACE_ID.replace("0af", "eee");
  assert.equal(await checkOut([`00-${later}-${PARENT_ID}-01`]), 200);
  await spansOf(viewer, later, SERVER);
  assert.equal(await api(viewer, `/api/traces/${other}`), undefined);
});

test("every third payment fails by itself", async () => {
  const statuses = [];
  for (let index = 0; index < 6; index += 1) statuses.push(await checkOut([], ""));
  const first = statuses.indexOf(502);
  assert.ok(first >= 0, statuses.join());
  assert.deepEqual(statuses, statuses.map((_, index) => (index % 3 === first ? 502 : 200)));
});
