/** Nothing is lost when a page is closed, left or hidden: what cannot leave at once, the next page sends; nothing arrives twice. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { startBrowser } from "./support/browser.mjs";
import { inTime, isBalanced, senders, settled, startSender, upTo } from "./support/sender.mjs";
import { until } from "./support/viewer.mjs";

/** How many spans are pending when a page goes: one, as many as OpenTelemetry-JS delivers, a few more than that, and far too many. */
const PENDING = [1, 90, 110, 400, 1000];
/** So many of them fit into what a leaving page may send. */
const AT_ONCE = 270;

const withSender = senders();

/** How a page records so many spans, and goes. */
const WAYS = {
  async "is closed"({ open }, count) {
    const opened = await open();
    await opened.evaluate((count) => window.record(count), count);
    await opened.close();
  },
  async "is left"({ open, site }, count) {
    const opened = await open();
    await opened.evaluate((count) => window.record(count), count);
    await opened.goto(`${site.url}/elsewhere`);
  },
  async "closes itself in the same task"({ open }, count) {
    const opener = await open("/elsewhere");
    const opening = opener.waitForEvent("popup");
    // Only a page that was opened by another one may do that.
    await opener.evaluate(() => void window.open("/"));
    const opened = await opening;
    await opened.waitForFunction(() => window.record);
    const closed = opened.waitForEvent("close");
    await opened.evaluate((count) => void setTimeout(() => window.close(window.record(count))), count);
    await closed;
    // It is gone for the browser at once, and then comes to its listeners, if that is not forgotten.
    await opener.waitForFunction(() => localStorage.left, undefined, { timeout: 5000 }).catch(() => {});
  },
};

for (const isSameOrigin of [true, false]) {
  for (const [way, go] of Object.entries(WAYS)) {
    test(`a page that ${way}, collector of ${isSameOrigin ? "its own origin" : "another origin behind a slow preflight"}: every span arrives once, or is counted`, async () => {
      let all = 0;
      const check = (count) =>
        withSender({ isSameOrigin }, async (sender) => {
          const { open, indices, collector, hasLeftInPeace } = sender;
          await go(sender, count);
          const next = await open();
          const stats = await settled(next);
          if (!(await hasLeftInPeace(next))) return false;
          // What the browser had in hand arrives, too, but for what it cuts off when a machine is very busy; all else is there for certain.
          const patient = Date.now() + 10_000;
          const cutOff = () => (Date.now() > patient ? (stats.handedOver ?? 0) : 0);
          const isThere = () => (indices().length + cutOff() >= count ? true : undefined);
          await until(() => `${count} spans, of which ${indices().length} are there: ${JSON.stringify(stats)}`, isThere);
          assert.equal(new Set(indices()).size, indices().length, "none twice");
          assert.ok(isBalanced(stats) && stats.undelivered + stats.rejected === 0, JSON.stringify(stats));
          assert.equal(collector.preflights.length > 0, !isSameOrigin, "none where it can be avoided");
          all += indices().length;
          return true;
        });
      await Promise.all(PENDING.map((count) => inTime(() => check(count))));
      assert.ok(all > 1000, `${all} arrived`);
    });
  }
}

test("a page that the browser ends in the midst of its leaving: nothing arrives twice, and what does not arrive is counted", async () => {
  const check = () =>
    withSender({}, async ({ context, open, arrived, indices }) => {
      // Of a page that is closed it bears this for half a second.
      await context.addInitScript(`if (location.hash === "#endless") {
        addEventListener("pagehide", () => window.record(1000));
        window.fetchLater = () => { for (localStorage.isInTheMidst = 1; ; ); };
      }`);
      const opened = await open("/#endless");
      await opened.close();
      const next = await open();
      if (!(await next.evaluate(() => localStorage.isInTheMidst))) return false;
      const stats = await until("the ledger", async () => {
        const stats = await settled(next);
        return stats.restored === 1000 ? stats : undefined;
      });
      assert.ok(isBalanced(stats) && stats.handedOver < 800, JSON.stringify(stats));
      await arrived(1000 - stats.handedOver);
      assert.equal(new Set(indices()).size, indices().length, "none twice");
      return true;
    });
  await inTime(check);
});

test("more than the module's memory holds, recorded in one task: kept, and sent once", async () => {
  await withSender({}, async ({ open, close, arrived, indices }) => {
    const opened = await open();
    // A flush waits for the database.
    await opened.evaluate(() => window.tracer.flush());
    await opened.evaluate(() => window.record(400, "x".repeat(2000)));
    const stats = await opened.evaluate(() => window.tracer.stats());
    assert.ok(isBalanced(stats) && stats.batchFull === 0 && stats.kept > 200, JSON.stringify(stats));
    await close(opened);
    await open();
    await arrived(400);
    assert.deepEqual(indices(), upTo(400));
  });
});

test("what was put into the database right before the page goes arrives, though the browser loses it", async () => {
  await withSender({}, async ({ context, open, close, arrived, indices }) => {
    await context.addInitScript(`if (location.hash === "#loses") {
      IDBObjectStore.prototype.put = () => {};
      Object.defineProperty(IDBTransaction.prototype, "oncomplete", { set() {} });
    }`);
    const opened = await open("/#loses");
    await opened.evaluate(() => window.tracer.flush());
    await opened.evaluate(() => window.record(1000));
    const { kept } = await opened.evaluate(() => window.tracer.stats());
    assert.ok(kept > 500, `${kept} are in the database`);
    await close(opened);
    await settled(await open());
    await arrived(1000);
    assert.deepEqual(indices(), upTo(1000));
  });
});

/** At `#slow` a page knows that it was answered (`isAnswered`), but never gets to read the answer. */
const NEVER_READ = `if (location.hash === "#slow") {
  Response.prototype.arrayBuffer = () => {
    window.isAnswered = true;
    return new Promise(() => {});
  };
}`;

/** Lets a page record so many spans while the collector is away, and go: they wait in the database for the next one. */
async function leftBehind({ collector, open, close }, count) {
  collector.state.down = true;
  const first = await open();
  await first.evaluate((count) => {
    window.record(count);
    return window.tracer.flush();
  }, count);
  assert.equal((await first.evaluate(() => window.tracer.stats())).kept, count);
  await close(first);
  collector.state.down = false;
}

test("what was sent out of the database right before the page goes does not arrive twice, though the browser forgets that", async () => {
  await withSender({}, async (sender) => {
    const { context, open, close, arrived, indices } = sender;
    await context.addInitScript(`if (location.hash === "#forgets") {
      IDBObjectStore.prototype.delete = function () {
        Object.defineProperty(this.transaction, "oncomplete", { set() {} });
      };
    }`);
    await leftBehind(sender, 10);
    const second = await open("/#forgets");
    await arrived(10);
    await until("the page's word", async () => ((await second.evaluate(() => window.tracer.stats())).delivered === 10 ? true : undefined));
    await close(second);
    await settled(await open());
    assert.deepEqual(indices(), upTo(10));
  });
});

test("what is sent out of the database while the page goes does not arrive twice, though the page has not read the answer yet", async () => {
  await withSender({}, async (sender) => {
    const { context, open, close, indices } = sender;
    await context.addInitScript(NEVER_READ);
    await leftBehind(sender, 10);
    const second = await open("/#slow");
    await second.waitForFunction(() => window.isAnswered);
    await close(second);
    const next = await open();
    const stats = await until("the ledger", async () => {
      const stats = await settled(next);
      return stats.restored === 10 ? stats : undefined;
    });
    assert.ok(isBalanced(stats) && stats.handedOver === 10, JSON.stringify(stats));
    assert.deepEqual(indices(), upTo(10));
  });
});

test("what is sent out of the database waits until there is room to outlive the page, also while an answer is being read", async () => {
  await withSender({}, async (sender) => {
    const { context, open, close, indices } = sender;
    await context.addInitScript(NEVER_READ);
    await leftBehind(sender, 300);
    const second = await open("/#slow");
    await second.evaluate(() => {
      window.record(150);
      void window.tracer.flush();
    });
    await second.waitForFunction(() => window.isAnswered);
    // Long enough for what must not happen.
    await new Promise((resolve) => setTimeout(resolve, 2500));
    await close(second);
    const next = await open();
    await until("the ledger", async () => ((await settled(next)).restored === 300 ? true : undefined));
    assert.deepEqual(indices(), [...upTo(150), ...upTo(300)].sort((one, other) => one - other));
  });
});

test("a page that is hidden and shown again goes on where it was", async () => {
  await withSender({}, async ({ open, arrived, indices }) => {
    const opened = await open();
    const hidden = await opened.evaluate(async () => {
      await window.tracer.flush();
      const show = (state) => {
        Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
        document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      };
      window.record(1000);
      show("hidden");
      const hidden = window.tracer.stats();
      show("visible");
      await window.tracer.flush();
      return hidden;
    });
    assert.ok(isBalanced(hidden) && hidden.kept > 100, JSON.stringify(hidden));
    await arrived(1000);
    assert.deepEqual(indices(), upTo(1000));
    const shown = await until("the page's word", async () => {
      const stats = await settled(opened);
      return stats.delivered >= 1000 ? stats : undefined;
    });
    assert.ok(isBalanced(shown) && shown.restored === shown.kept && shown.delivered === 1000, JSON.stringify(shown));
  });
});

test("a page that comes back from the back-forward cache goes on where it was", async () => {
  const cached = await startBrowser({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
  const { site, open, arrived, indices, end } = await startSender(cached);
  try {
    const opened = await open();
    await opened.evaluate(async () => {
      await window.tracer.flush();
      window.record(400);
    });
    await opened.goto(`${site.url}/elsewhere`);
    await arrived(AT_ONCE);
    // Such a page does not load again.
    await opened.goBack({ waitUntil: "commit" });
    await opened.evaluate(() => {
      window.record(50);
      return window.tracer.flush();
    });
    await arrived(450);
    assert.deepEqual(indices(), upTo(450), "it is the same page, which went on counting");
    const stats = await settled(opened);
    assert.ok(isBalanced(stats) && stats.started === 450 && stats.undelivered === 0, JSON.stringify(stats));
  } finally {
    await end();
    await cached.close();
  }
});

test("a browser without keepalive sends a beacon where it may arrive, and keeps the spans elsewhere", async () => {
  for (const isSameOrigin of [true, false]) {
    await withSender({ isSameOrigin }, async ({ context, site, open, arrived, indices }) => {
      await context.addInitScript("delete Request.prototype.keepalive; delete window.fetchLater;");
      await context.addInitScript(`const { sendBeacon } = navigator;
        Navigator.prototype.sendBeacon = function (...given) { localStorage.beacons = 1; return sendBeacon.apply(this, given); };`);
      const opened = await open();
      await opened.evaluate(() => window.record(100));
      await opened.goto(`${site.url}/elsewhere`);
      assert.equal(await opened.evaluate(() => localStorage.beacons), isSameOrigin ? "1" : undefined);
      if (isSameOrigin) await arrived(100);
      await open();
      await arrived(100);
      assert.deepEqual(indices(), upTo(100));
    });
  }
});

test("what listeners of the application end while a page is left leaves with it, whenever they began to listen", async () => {
  for (const type of ["pagehide", "visibilitychange"]) {
    await withSender({}, async ({ site, open, arrived, indices }) => {
      const opened = await open();
      await opened.evaluate((type) => window.addEventListener(type, () => window.record(1)), type);
      await opened.goto(`${site.url}/elsewhere`);
      await arrived(1);
      assert.deepEqual(indices(), [0]);
    });
  }
});

test("JSON and gzip by choice, also when a page is left", async () => {
  const imports = `import { sendGzip } from "/clewline/gzip.mjs"; import { sendJson } from "/clewline/json.mjs";`;
  const others = `sendGzip(), ...(location.search === "?json" ? [sendJson()] : [])`;
  await withSender({ imports, others }, async ({ open, site, collector, spans, arrived, indices }) => {
    const opened = await open();
    await opened.evaluate(async () => {
      window.record(100);
      await window.tracer.flush();
    });
    const [request] = collector.requests;
    assert.equal(request.headers["content-encoding"], "gzip");
    assert.ok(request.wire < request.bytes.length / 4, `${request.wire} of ${request.bytes.length} bytes`);
    await opened.evaluate(() => window.record(100));
    await opened.goto(`${site.url}/elsewhere`);
    await arrived(200);
    assert.deepEqual(indices(), upTo(200));
    assert.equal(collector.requests.at(-1).headers["content-encoding"], undefined, "there was no time for it");

    const other = await open("/?json");
    await other.evaluate(async () => {
      window.record(100);
      await window.tracer.flush();
    });
    const json = () => collector.requests.filter(({ headers }) => headers["content-type"] === "application/json");
    assert.ok(json().length > 1 && json().every(({ headers }) => headers["content-encoding"] === "gzip"));
    const all = () => json().flatMap(({ bytes }) => JSON.parse(bytes).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)));
    const [{ traceId, startTimeUnixNano, attributes }] = all();
    assert.match(traceId, /^[0-9a-f]{32}$/);
    assert.match(startTimeUnixNano, /^1[0-9]{18}$/);
    assert.deepEqual(attributes[0], { key: "index", value: { intValue: "0" } });
    assert.equal((await settled(other)).delivered, 100);
    await other.evaluate(() => window.record(400));
    await other.goto(`${site.url}/elsewhere`);
    await open("/?json");
    await until("500 spans", () => (all().length >= 500 ? true : undefined));
    const numbers = all().map(({ attributes }) => Number(attributes[0].value.intValue)).sort((one, other) => one - other);
    assert.deepEqual(numbers, upTo(500));
    assert.equal(spans().length, 200);
  });
});
