/** README.md's Worker: bundled with the condition of its platform, and run in workerd. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { arrival, build, directoryOf, install } from "../support/consumer.mjs";
import { startCollector, startSite } from "../support/site.mjs";
import { startWorker } from "../support/workerd.mjs";

const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

let collector, backend, worker;

before(async () => {
  await install("worker");
  collector = await startCollector();
  backend = await startSite({ "/cart": "thread" });
  const source = readFileSync(path.join(directoryOf("worker"), "src/worker.mjs"), "utf8");
  worker = await startWorker(source.replace('"clewline/cloudflare"', '"./clewline/cloudflare.mjs"'), {
    COLLECTOR: collector.url,
    BACKEND: `${backend.url}/cart`,
  });
});

after(() => Promise.all([worker, backend, collector].map((server) => server?.end())));

test("a request's trace goes through the Worker to the server behind it", async () => {
  const response = await fetch(worker.url, { headers: { traceparent: PARENT } });
  assert.equal(await response.text(), "thread");
  const [served] = await arrival(collector, "GET /cart");
  const [asked] = await arrival(collector, "GET");
  assert.equal(`00-${served.traceId}-${served.parentSpanId}-01`, PARENT);
  assert.deepEqual([served.kind, served.attributes["http.route"], served.attributes["http.response.status_code"]], [2, "/cart", { int: 200 }]);
  assert.deepEqual([asked.kind, asked.parentSpanId, asked.traceId], [3, served.spanId, served.traceId]);
  assert.equal(backend.requests[0].headers.traceparent, `00-${asked.traceId}-${asked.spanId}-01`);
});

test("a bundle for Workers takes the module as a file, and no copy of it as text", async () => {
  const files = await build("worker");
  assert.deepEqual(Object.keys(files).sort(), ["core.wasm", "worker.js"]);
  assert.match(files["worker.js"], /from "\.\/core\.wasm"/);
  assert.ok(!files["worker.js"].includes("[#$]?."), "the text's reader is not there");
});
