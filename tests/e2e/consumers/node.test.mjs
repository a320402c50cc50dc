/** README.md's programs for Node.js: the active span after an await, `@opentelemetry/api`, and delivery at the end of the process. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { COLLECTOR, arrival, directoryOf, install } from "../support/consumer.mjs";
import { startCollector } from "../support/site.mjs";

let collector;

before(async () => {
  await install("node");
  collector = await startCollector();
});

after(() => collector?.end());

/** Runs a program to its end; requests to the collector's usual address go to the test's. */
function run(program) {
  const preload = `const real = fetch; globalThis.fetch = (address, init) => real(String(address).replace("${COLLECTOR}", "${collector.url}"), init);`;
  const env = { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  return promisify(execFile)(process.execPath, ["--import", `data:text/javascript,${encodeURIComponent(preload)}`, program], { cwd: directoryOf("node"), env });
}

test("a span that starts after an await is in the trace, and all is delivered before the process ends", async () => {
  await run("src/job.mjs");
  const [job] = await arrival(collector, "import");
  const [row] = await arrival(collector, "row");
  assert.deepEqual([row.parentSpanId, row.traceId], [job.spanId, job.traceId]);
  assert.equal(collector.spans().length, 2);
});

test("what is instrumented with the OpenTelemetry API records through us", async () => {
  await run("src/api.mjs");
  const [outer] = await arrival(collector, "outer");
  const [inner] = await arrival(collector, "inner");
  assert.deepEqual([inner.parentSpanId, inner.traceId], [outer.spanId, outer.traceId]);
  assert.deepEqual([inner.attributes["otel.scope.name"], inner.attributes["otel.scope.version"]], ["library", "2.0"]);
});
