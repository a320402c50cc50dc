/** Workers in a real Chromium, dedicated, shared and service workers: spans, parents, headers, and what becomes of spans when a worker ends. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openPage, startBrowser } from "./support/browser.mjs";
import { page, startCollector, startSite } from "./support/site.mjs";
import { until } from "./support/viewer.mjs";

let browser, site, other, collector;
const collectors = [];

const script = (body) => ({ type: "text/javascript", body });
const start = (name, options = "") => `
  import { init } from "/clewline/index.mjs";
  import { traceFetch } from "/clewline/fetch.mjs";
  import { adoptFromWorkers, sendThroughPage } from "/clewline/workers.mjs";
  const tracer = self.tracer = init({ serviceName: "${name}", endpoint: "${collector.url}", ${options} });
`;

/** What all kinds of workers do when they are asked to: a span below the page's, and requests, before and after an await. */
const WORK = () => `
async function work({ traceparent, addresses, parent = traceparent }) {
  await tracer.startActiveSpan("work", { parent }, async (span) => {
    const [first, ...rest] = addresses;
    await (await fetch(first)).text();
    for (const address of rest) await (await span.run(() => fetch(address))).text();
    span.end();
  });
}`;

before(async () => {
  browser = await startBrowser();
  const data = { body: "{}", headers: { "access-control-allow-origin": "*", "access-control-allow-headers": "traceparent" } };
  other = await startSite({ "/listed/data": data, "/data": data });
  const traced = () => `flushInterval: 50, instrumentations: [traceFetch({ propagateTo: ["${other.url}/listed"] })]`;
  const handing = (options = "") => `flushInterval: 60000, instrumentations: [sendThroughPage(${options})]`;
  const many = `
    const record = (count) => { for (let index = 0; index < count; index++) tracer.startSpan("left", { attributes: { index } }).end(); };`;
  site = await startSite({
    "/": () => page(""),
    "/adopting": () => page(start("page", "flushInterval: 60000, instrumentations: [adoptFromWorkers()]")),
    "/data": "{}",
    "/dedicated.mjs": () => script(`${start("dedicated", traced())} ${WORK()} onmessage = async ({ data }) => { await work(data); postMessage("done"); };`),
    "/shared.mjs": () => script(`${start("shared", traced())} ${WORK()}
      onconnect = ({ ports: [port] }) => (port.onmessage = async ({ data }) => { await work(data); port.postMessage("done"); });`),
    "/service.mjs": () => script(`${start("service", traced())} ${WORK()}
      oninstall = () => skipWaiting();
      onactivate = (event) => event.waitUntil(clients.claim());
      onfetch = (event) => {
        if (!event.request.url.endsWith("/served")) return;
        // Its client is a page that goes away at once.
        const parent = event.request.headers.get("traceparent");
        const answer = work({ parent, addresses: ["/data"] });
        event.respondWith(new Response("served"));
        event.waitUntil(answer.then(() => tracer.flush()));
      };
      onmessage = ({ data, source }) => work(data).then(() => source.postMessage("done"));`),
    "/handing.mjs": () => script(`${start("handing", handing())} ${many}
      onmessage = ({ data: { count, how } }) => {
        record(count);
        if (how === "close") close();
        else if (how !== "silent") postMessage("done");
      };`),
    "/alone.mjs": () => script(`${start("alone", handing("{ patience: 100 }"))} ${many} record(2);`),
    "/handing-shared.mjs": () => script(`${start("handing", handing())} ${many}
      onconnect = ({ ports: [port] }) => (port.onmessage = ({ data: { count } }) => { record(count); port.postMessage("done"); });`),
  });
});

after(async () => {
  await browser?.close();
  await Promise.all([site, other, ...collectors].map((server) => server?.end()));
});

/** A fresh profile with a page of the site, and a collector of its own; requests that came before are forgotten. */
async function open(path, state = {}) {
  collectors.push((collector = await startCollector()));
  Object.assign(collector.state, state);
  site.requests.length = other.requests.length = 0;
  const profile = await browser.newContext();
  return { profile, opened: await openPage(profile, site.url + path) };
}

const arrived = (name, count, millis = 0) =>
  until(() => `${count} spans named ${name}, there are ${collector.spans().filter((span) => span.name === name).length}`, async () => {
    const found = collector.spans().filter((span) => span.name === name);
    if (found.length < count) return undefined;
    // Whether there are more than there should be is known a little later.
    await new Promise((resolve) => setTimeout(resolve, millis));
    return collector.spans().filter((span) => span.name === name);
  });

const SERVER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

const ASK = {
  dedicated: (message) =>
    new Promise((resolve) => {
      const worker = new Worker("/dedicated.mjs", { type: "module" });
      worker.onmessage = resolve;
      worker.postMessage(message);
    }),
  shared: (message) =>
    new Promise((resolve) => {
      const { port } = new SharedWorker("/shared.mjs", { type: "module" });
      port.onmessage = resolve;
      port.postMessage(message);
    }),
  service: async (message) => {
    await navigator.serviceWorker.register("/service.mjs", { type: "module" });
    const { active } = await navigator.serviceWorker.ready;
    await new Promise((resolve) => {
      navigator.serviceWorker.onmessage = resolve;
      navigator.serviceWorker.startMessages();
      active.postMessage(message);
    });
  },
};

for (const [kind, ask] of Object.entries(ASK)) {
  test(`${kind} worker: spans below the page's, and headers where they may go`, async () => {
    const { profile, opened } = await open("/");
    await opened.evaluate(`(${ask})(${JSON.stringify({ traceparent: SERVER, addresses: ["/data", `${other.url}/listed/data`, `${other.url}/data`] })}).then(() => 0)`);
    const [work] = await arrived("work", 1);
    const requests = await arrived("GET", 3);
    assert.deepEqual([work.traceId, work.parentSpanId], [SERVER.slice(3, 35), SERVER.slice(36, 52)]);
    assert.deepEqual(requests.map(({ parentSpanId, attributes }) => [parentSpanId, attributes["url.full"]]), [
      [work.spanId, `${site.url}/data`],
      [work.spanId, `${other.url}/listed/data`],
      [work.spanId, `${other.url}/data`],
    ]);
    const seen = [...site.requests, ...other.requests].filter(({ method, path }) => method === "GET" && path.endsWith("data"));
    assert.deepEqual(seen.map(({ headers }) => headers.traceparent), [
      `00-${work.traceId}-${requests[0].spanId}-01`,
      `00-${work.traceId}-${requests[1].spanId}-01`,
      undefined,
    ]);
    assert.equal(collector.decoded()[0].resource["service.name"], kind);
    assert.deepEqual(opened.problems, []);
    await profile.close();
  });
}

test("a service worker sends what it recorded for a page that is gone", async () => {
  const { profile, opened } = await open("/");
  await opened.evaluate(async () => {
    await navigator.serviceWorker.register("/service.mjs", { type: "module" });
    await navigator.serviceWorker.ready;
    while (!navigator.serviceWorker.controller) await new Promise((resolve) => setTimeout(resolve, 5));
  });
  assert.equal(await opened.evaluate((traceparent) => fetch("/served", { headers: { traceparent } }).then((response) => response.text()), SERVER), "served");
  await opened.close();
  const [work] = await arrived("work", 1);
  assert.equal(work.parentSpanId, SERVER.slice(36, 52));
  await profile.close();
});

for (const count of [1, 90, 400, 1000]) {
  test(`${count} spans of a worker that is terminated at once arrive, once each, though the collector answers preflights slowly`, async () => {
    const { profile, opened } = await open("/adopting", { preflightDelay: 150 });
    await opened.evaluate(
      (count) =>
        new Promise((resolve) => {
          const worker = new Worker("/handing.mjs", { type: "module" });
          worker.onmessage = () => resolve(worker.terminate());
          worker.postMessage({ count });
        }),
      count,
    );
    const spans = await arrived("left", count, 100);
    assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, count);
    assert.equal(spans.length, count);
    const stats = await until("the page's word", async () => {
      const stats = await opened.evaluate(() => window.tracer.stats());
      return stats.delivered >= count ? stats : undefined;
    });
    assert.deepEqual([stats.started, stats.adopted, stats.delivered], [0, count, count]);
    assert.equal(collector.decoded()[0].resource["service.name"], "handing");
    await profile.close();
  });
}

test("a worker that closes itself, and one that says nothing before it is terminated", async () => {
  const { profile, opened } = await open("/adopting");
  await opened.evaluate(() => {
    window.workers = ["close", "silent"].map((how) => {
      const worker = new Worker("/handing.mjs", { type: "module" });
      worker.postMessage({ count: 3, how });
      return worker;
    });
  });
  await opened.waitForFunction(() => window.tracer.stats().adopted === 6);
  await opened.evaluate(() => window.workers.forEach((worker) => worker.terminate()));
  assert.equal((await arrived("left", 6, 100)).length, 6);
  await profile.close();
});

test("a shared worker's spans leave with the last page", async () => {
  const { profile, opened } = await open("/adopting");
  await opened.evaluate(
    () =>
      new Promise((resolve) => {
        const { port } = new SharedWorker("/handing-shared.mjs", { type: "module" });
        port.onmessage = resolve;
        port.postMessage({ count: 40 });
      }),
  );
  await opened.waitForFunction(() => window.tracer.stats().adopted === 40);
  // Left before it is closed: for its listeners, a browser has half a second when a page is closed, and all the time when it is left.
  await opened.goto("about:blank");
  await opened.close();
  assert.equal((await arrived("left", 40, 100)).length, 40);
  await profile.close();
});

test("of two pages one takes, and when it is closed the other", async () => {
  const { profile, opened } = await open("/adopting");
  const second = await openPage(profile, `${site.url}/adopting`);
  const spawn = (from) => from.evaluate(() => {
    window.worker = new Worker("/handing.mjs", { type: "module" });
    window.worker.postMessage({ count: 5 });
  });
  await spawn(second);
  assert.equal((await arrived("left", 5, 100)).length, 5);
  assert.deepEqual(await Promise.all([opened, second].map((one) => one.evaluate(() => window.tracer.stats().adopted ?? 0))), [5, 0]);
  await opened.close();
  // While it waited for the first one's lock, that was another.
  await second.waitForFunction(async () => {
    const { held, pending } = await navigator.locks.query();
    return held.length === 1 && pending.length === 0;
  });
  await spawn(second);
  assert.equal((await arrived("left", 10, 100)).length, 10);
  assert.equal(await second.evaluate(() => window.tracer.stats().adopted), 5);
  await profile.close();
});

test("a worker to which no page answers sends for itself", async () => {
  const { profile, opened } = await open("/");
  await opened.evaluate(() => void (window.worker = new Worker("/alone.mjs", { type: "module" })));
  assert.equal((await arrived("left", 2, 100)).length, 2);
  await profile.close();
});
