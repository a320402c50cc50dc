/** Without `clewline/offline`, too, nothing is lost uncounted when a page goes: what is too much for that moment, the next page sends or counts. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openPage, startBrowser } from "./support/browser.mjs";
import { isBalanced, upTo } from "./support/sender.mjs";
import { page, startCollector, startSite } from "./support/site.mjs";
import { until } from "./support/viewer.mjs";

/** A page whose tracer sends nothing by itself for a minute. When it is left, it records `last`, and leaves its ledger behind. */
const script = (endpoint) => `
  import { init } from "/clewline/index.mjs";
  addEventListener("pagehide", () => window.record(...window.last));
  const tracer = (window.tracer = init({ serviceName: "page", endpoint: "${endpoint}", flushInterval: 60000, batchSize: 60000 }));
  let index = 0;
  window.record = (count, text) => {
    for (const end = index + count; index < end; index++) tracer.startSpan("work", { attributes: { index, text } }).end();
  };
  window.show = (state) => {
    Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
    document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
    return tracer.stats();
  };
  addEventListener("pagehide", () => (sessionStorage.stats = JSON.stringify(tracer.stats())));`;

/** A page that has looked into its localStorage, and starts its tracer when it is told to, as exactly then as a page can. */
const armed = (endpoint) => `
  import { init } from "/clewline/index.mjs";
  window.seen = Object.keys(localStorage).length;
  window.go = (moment) => {
    while (Date.now() < moment);
    window.tracer = init({ serviceName: "page", endpoint: "${endpoint}" });
  };`;

let browser;

before(async () => {
  browser = await startBrowser();
});

after(() => browser?.close());

async function withPage(run) {
  const collector = await startCollector();
  const site = await startSite({
    "/": () => page(script(collector.url)),
    "/armed": () => page(armed(collector.url)),
    "/elsewhere": () => page(""),
  });
  const context = await browser.newContext();
  const opened = await openPage(context, site.url);
  try {
    await run({
      opened,
      collector,
      indices: () => collector.spans().map((span) => span.attributes.index.int).sort((one, other) => one - other),
      /** Leaves the page with 100 spans that have just ended; answers what its ledger said then. */
      async leave() {
        await opened.evaluate((text) => (window.last = [100, text]), TEXT);
        await opened.goto(`${site.url}/elsewhere`);
        return JSON.parse(await opened.evaluate(() => sessionStorage.stats));
      },
      open: () => opened.goto(`${site.url}/`),
      another: () => openPage(context, `${site.url}/armed`),
      /** The ledger, once this is true of it. */
      stats: (isTrue) => until("the ledger", async () => {
        const stats = await opened.evaluate(() => window.tracer.stats());
        return isTrue(stats) ? stats : undefined;
      }),
    });
  } finally {
    await context.close();
    await Promise.all([site.end(), collector.end()]);
  }
}

const TEXT = "x".repeat(2000);

test("what does not fit when a page is left, the next one sends, once", async () => {
  await withPage(async ({ opened, leave, open, stats, indices }) => {
    const left = await leave();
    assert.ok(isBalanced(left) && left.waiting > 20 && left.kept > 50 && left.batched === 0, JSON.stringify(left));
    await open();
    const next = await stats(({ delivered }) => delivered >= left.kept);
    assert.ok(isBalanced(next) && next.started === 0 && next.restored === left.kept && next.delivered === left.kept, JSON.stringify(next));
    // Of the others, a browser under load may lose some.
    const all = indices();
    assert.deepEqual(all.slice(-left.kept), upTo(100).slice(-left.kept));
    assert.equal(new Set(all).size, all.length, "none twice");
    assert.deepEqual(await opened.evaluate(() => Object.keys(localStorage)), []);
  });
});

test("a page that is only hidden sends the rest when it is shown again", async () => {
  await withPage(async ({ opened, stats, indices }) => {
    const hidden = await opened.evaluate((text) => {
      window.record(100, text);
      return window.show("hidden");
    }, TEXT);
    assert.ok(isBalanced(hidden) && hidden.kept > 50, JSON.stringify(hidden));
    await opened.evaluate(() => window.show("visible"));
    const later = await stats(({ delivered }) => delivered === 100);
    assert.ok(isBalanced(later) && later.restored === later.kept, JSON.stringify(later));
    assert.deepEqual(indices(), upTo(100));
  });
});

test("of tabs that open in the same moment, one sends what was left", async () => {
  await withPage(async ({ leave, another, indices }) => {
    const left = await leave();
    const tabs = [];
    for (const _ of upTo(5)) tabs.push(await another());
    assert.ok((await Promise.all(tabs.map((tab) => tab.evaluate(() => window.seen)))).every((seen) => seen > 1), "each knows of it");
    const moment = Date.now() + 500;
    await Promise.all(tabs.map((tab) => tab.evaluate((moment) => window.go(moment), moment)));
    const ledgers = () => Promise.all(tabs.map((tab) => tab.evaluate(() => window.tracer.stats())));
    const sum = (stats, name) => stats.reduce((sum, { [name]: count = 0 }) => sum + count, 0);
    await until("what was left to arrive", async () => sum(await ledgers(), "delivered") >= left.kept || undefined);
    await until("all tabs to see that it is gone", async () => {
      const seen = await Promise.all(tabs.map((tab) => tab.evaluate(() => Object.keys(localStorage).some((key) => /^clewline /.test(key)))));
      return !seen.some(Boolean) || undefined;
    });
    const one = (await ledgers()).findIndex(({ restored }) => restored);
    const taken = sum(await ledgers(), "restored");
    // It keeps the others waiting for a while, or as long as it is there.
    await tabs.splice(one, 1)[0].close();
    await until("the others to have had their turn", () =>
      tabs[0].evaluate(async () => {
        const { held, pending } = await navigator.locks.query();
        return held.length + pending.length ? undefined : true;
      }),
    );
    await Promise.all(tabs.map((tab) => tab.evaluate(() => window.tracer.flush())));
    assert.equal(taken + sum(await ledgers(), "restored"), left.kept, "one of them took it, once");
    const all = indices();
    assert.equal(new Set(all).size, all.length, "none twice");
  });
});

test("where there is no room, spans stay with the page", async () => {
  await withPage(async ({ opened, stats, indices }) => {
    const hidden = await opened.evaluate((text) => {
      localStorage.clear();
      try {
        for (let size = 1 << 20; size; ) {
          try {
            localStorage[`application ${localStorage.length}`] = "x".repeat(size);
          } catch {
            size >>= 1;
          }
        }
      } catch {
        // Full.
      }
      window.record(100, text);
      return window.show("hidden");
    }, TEXT);
    assert.equal(hidden.kept ?? 0, 0, JSON.stringify(hidden));
    await opened.evaluate(() => window.tracer.flush());
    const later = await stats(({ delivered }) => delivered === 100);
    assert.ok(isBalanced(later), JSON.stringify(later));
    assert.deepEqual(indices(), upTo(100));
  });
});

test("while no collector answers, a bounded number of requests is kept, and the spans of the others are counted", async () => {
  await withPage(async ({ opened, collector, leave, open, stats }) => {
    collector.state.down = true;
    const counted = () => opened.evaluate(() => Object.keys(localStorage).filter((key) => !localStorage[key]).length);
    const kept = () => opened.evaluate(() => Object.keys(localStorage).filter((key) => localStorage[key]).length);
    let left;
    do {
      left = await leave();
      assert.ok(isBalanced(left), JSON.stringify(left));
      assert.ok((await kept()) <= 8);
      if (await counted()) break;
      await open();
      await stats(({ restored }) => restored === left.kept);
    } while (true);
    collector.state.down = false;
    await open();
    const next = await stats(({ delivered, undelivered }) => delivered + undelivered === left.kept);
    assert.ok(isBalanced(next) && next.undelivered > 0 && next.delivered > 100, JSON.stringify(next));
  });
});
