/** The npm package in Node.js, Deno and Bun: spans, parents through promises, headers, and delivery whenever and however a process ends. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { HOSTS, makeProgram, run } from "./support/package.mjs";
import { startCollector, startSite } from "./support/site.mjs";

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-03$/;

/** What every program begins with: the addresses of collector, listed and other server are its arguments. */
const START = `
import { init, stats, SpanKind } from "clewline";
import { traceFetch } from "clewline/fetch";
const [collector, listed, other] = process.argv.slice(2);
const begin = (options) => init({ serviceName: "program", endpoint: collector, instrumentations: [traceFetch({ propagateTo: [listed] })], ...options });
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));
`;

const PROGRAMS = {
  "spans.mjs": `${START}
try { stats(); } catch (error) { console.log(error.message); }
const tracer = begin();
console.log(begin() === tracer);
// Two of them at the same time, each with its own children, through promises, timers and callbacks.
await Promise.all(["one", "two"].map((name) => tracer.startActiveSpan(name, async (span) => {
  await pause(10);
  const { activeSpan, startSpan } = tracer;
  if (activeSpan() !== span) throw new Error("the active span is lost");
  await (await fetch(listed + "/" + name)).text();
  await new Promise((resolve) => setTimeout(() => { startSpan(name + " timer").end(); resolve(); }, 5));
  await fetch(other + "/" + name);
  queueMicrotask(() => startSpan(name + " microtask").end());
  await pause(1);
  span.end();
})));
tracer.startActiveSpan("root again", { parent: null, kind: SpanKind.SERVER }, (span) => span.end());
console.log(tracer.activeSpan() === undefined);
await tracer.shutdown();
console.log(JSON.stringify(tracer.stats()));
`,
  "ends.mjs": `${START}
const tracer = begin();
tracer.startSpan("left").end();
`,
  "exits.mjs": `${START}
const tracer = begin();
for (let index = 0; index < 700; index++) tracer.startSpan("left", { attributes: { index, text: "x".repeat(100) } }).end();
process.exit(3);
`,
  "throws.mjs": `${START}
const tracer = begin();
tracer.startSpan("left").end();
setTimeout(() => { throw new Error("nobody catches this"); });
`,
  "using.mjs": `${START}
const tracer = begin();
{
  using outer = tracer.startSpan("outer");
  using inner = tracer.startSpan("inner", { parent: outer });
  try {
    using failing = tracer.startSpan("failing", { parent: outer });
    throw new Error("ends it all the same");
  } catch {}
}
await tracer.shutdown();
`,
  "threads.mjs": `${START}
import { Worker, isMainThread, workerData } from "node:worker_threads";
if (isMainThread) {
  const thread = new Worker(new URL(import.meta.url), { workerData: collector });
  await new Promise((resolve, reject) => thread.on("exit", resolve).on("error", reject));
} else {
  init({ serviceName: "thread", endpoint: workerData }).startSpan("left").end();
}
`,
  "flying.mjs": `${START}
const tracer = begin();
tracer.startSpan("left").end();
void tracer.flush();
setTimeout(() => process.exit(0));
`,
};

let collector, listed, other, program;
const servers = [];

before(() => {
  program = makeProgram(PROGRAMS);
});

after(async () => {
  program?.end();
  await Promise.all(servers.map((server) => server.end()));
});

/** Runs a program with servers of its own: what the one before it sent at its end may come later than that. */
async function start(host, file, state = {}) {
  [collector, listed, other] = await Promise.all([startCollector(), startSite({ "/one": "1", "/two": "2" }), startSite({ "/one": "1", "/two": "2" })]);
  servers.push(collector, listed, other);
  Object.assign(collector.state, state);
  return run([...HOSTS[host], file, collector.url, listed.url, other.url], { cwd: program.directory });
}

for (const host of Object.keys(HOSTS)) {
  test(`${host}: spans have the parents they have, however long their functions wait, and headers go where they may`, async () => {
    const { code, out, error } = await start(host, "spans.mjs");
    assert.deepEqual([code, error], [0, ""]);
    const [early, twice, none, stats] = out.trim().split("\n");
    assert.deepEqual([early, twice, none], ["clewline: call init() before stats()", "true", "true"]);
    assert.deepEqual((({ started, delivered, live, undelivered }) => ({ started, delivered, live, undelivered }))(JSON.parse(stats)), { started: 11, delivered: 11, live: 0, undelivered: 0 });

    const spans = collector.spans();
    assert.equal(spans.length, 11);
    for (const name of ["one", "two"]) {
      const [parent] = spans.filter((span) => span.name === name);
      const children = spans.filter((span) => span.parentSpanId === parent.spanId).map((span) => [span.name, span.attributes["url.full"]]);
      assert.deepEqual(children, [
        ["GET", `${listed.url}/${name}`],
        [`${name} timer`, undefined],
        ["GET", `${other.url}/${name}`],
        [`${name} microtask`, undefined],
      ]);
      const [request] = spans.filter((span) => span.attributes["url.full"] === `${listed.url}/${name}`);
      const header = listed.requests.find(({ path }) => path === `/${name}`).headers.traceparent;
      assert.match(header, TRACEPARENT);
      assert.deepEqual([header.slice(3, 35), header.slice(36, 52)], [parent.traceId, request.spanId]);
      assert.equal(other.requests.find(({ path }) => path === `/${name}`).headers.traceparent, undefined);
    }
    assert.equal(spans.find((span) => span.name === "root again").parentSpanId, "");
    const { resource } = collector.decoded()[0];
    assert.deepEqual([resource["service.name"], resource["telemetry.sdk.language"], resource["process.runtime.name"]], ["program", "nodejs", host === "node" ? "nodejs" : host]);
  });

  for (const [file, expected, count] of [["ends.mjs", 0, 1], ["exits.mjs", 3, 700], ["throws.mjs", 1, 1]]) {
    test(`${host}: all that was recorded is delivered when ${file} does`, async () => {
      const { code, error } = await start(host, file);
      assert.equal(code, expected, error);
      assert.doesNotMatch(error, /clewline: /);
      assert.equal(collector.spans().length, count);
      assert.ok(collector.spans().every(({ name }) => name === "left"));
    });
  }

  // Node.js has the syntax since 24; what it calls is tested with the spans.
  if (host !== "node") {
    test(`${host}: using ends spans with their block, the last first`, async () => {
      const { code, error } = await start(host, "using.mjs");
      assert.deepEqual([code, error], [0, ""]);
      assert.deepEqual(collector.spans().map(({ name }) => name), ["failing", "inner", "outer"]);
    });
  }

  test(`${host}: a thread delivers what it recorded when it ends`, async () => {
    const { code, error } = await start(host, "threads.mjs");
    assert.deepEqual([code, error], [0, ""]);
    assert.deepEqual(collector.decoded().map(({ resource, spans }) => [resource["service.name"], spans.map(({ name }) => name)]), [["thread", ["left"]]]);
  });

  test(`${host}: a request that was on its way when the process ended arrives`, async () => {
    const { code, error } = await start(host, "flying.mjs");
    assert.deepEqual([code, error], [0, ""]);
    assert.ok(collector.spans().length >= 1);
    assert.equal(new Set(collector.spans().map(({ spanId }) => spanId)).size, 1);
  });
}

test("a process that cannot deliver says how many spans were lost, and ends all the same", async () => {
  const { code, error } = await start("node", "exits.mjs", { down: true });
  assert.equal(code, 3);
  assert.match(error, /^clewline: the process ended before 700 spans were delivered\n$/);
});
