/** Spans outlive a collector that is away, a network that is off, and tabs that are closed meanwhile; and the ledger says what is where. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { inTime, isBalanced, senders, settled, upTo } from "./support/sender.mjs";
import { until } from "./support/viewer.mjs";

/** ExportTraceServiceResponse { partial_success { rejected_spans: 3 } } */
const PARTIAL = Buffer.from([0x0a, 2, 0x08, 3]);

const withSender = senders();

const statsOf = (opened) => opened.evaluate(() => window.tracer.stats());

for (const [what, away, back, leave] of [
  ["the collector is away", ({ collector }) => (collector.state.down = true), ({ collector }) => (collector.state.down = false), ({ close }, opened) => close(opened)],
  // A page that goes to another one finds the network on for a moment: what switches it off stays with the page that is shown.
  ["the network is off", ({ context }) => context.setOffline(true), ({ context }) => context.setOffline(false), (_, opened) => opened.close()],
]) {
  test(`${what} for a while, the tab is closed and opened again: every span arrives once`, async () => {
    const check = () => withSender({}, async (sender) => {
      const { open, arrived, indices, spans, hasLeftInPeace } = sender;
      const opened = await open();
      await opened.evaluate(() => window.tracer.flush());
      await away(sender);
      await opened.evaluate(async () => {
        window.record(400);
        await window.tracer.flush();
      });
      const stats = await statsOf(opened);
      assert.ok(isBalanced(stats) && stats.kept > 0 && stats.delivered + stats.undelivered === 0, JSON.stringify(stats));
      await opened.evaluate(() => window.record(100));
      await leave(sender, opened);
      assert.equal(spans().length, 0);
      await back(sender);
      const next = await open();
      if (!(await hasLeftInPeace(next))) return false;
      await arrived(500);
      assert.deepEqual(indices(), upTo(500));
      const after = await until("the queue is empty", async () => {
        const stats = await settled(next);
        return stats.restored === 500 ? stats : undefined;
      });
      assert.ok(isBalanced(after) && after.delivered === 500 && after.started === 0, JSON.stringify(after));
      return true;
    });
    await inTime(check);
  });
}

test("a page that stays sends what it kept when the network returns", async () => {
  await withSender({}, async ({ context, open, arrived, indices }) => {
    const opened = await open();
    await opened.evaluate(() => window.tracer.flush());
    await context.setOffline(true);
    await opened.evaluate(async () => {
      window.record(10);
      await window.tracer.flush();
    });
    assert.equal((await statsOf(opened)).kept, 10);
    await context.setOffline(false);
    await arrived(10);
    assert.deepEqual(indices(), upTo(10));
  });
});

test("two tabs that are closed offline, two tabs that are opened: every span arrives once", async () => {
  await withSender({}, async ({ collector, open, close, spans, arrived }) => {
    collector.state.down = true;
    const tabs = [await open(), await open()];
    await Promise.all(tabs.map((tab) => tab.evaluate(() => {
      window.record(400);
      return window.tracer.flush();
    })));
    await Promise.all(tabs.map(close));
    collector.state.down = false;
    const next = await Promise.all([open(), open()]);
    await arrived(800);
    const all = await until("both ledgers", async () => {
      const stats = await Promise.all(next.map(settled));
      return stats.reduce((sum, { restored = 0 }) => sum + restored, 0) === 800 ? stats : undefined;
    });
    assert.ok(all.every(isBalanced), JSON.stringify(all));
    assert.equal(new Set(spans().map(({ spanId }) => spanId)).size, 800);
    assert.equal(spans().length, 800);
  });
});

test("a busy collector is asked again, a refusal is final, and each is counted", async () => {
  await withSender({}, async ({ collector, open, arrived, indices }) => {
    const opened = await open();
    const send = (count) => opened.evaluate(async (count) => {
      window.record(count);
      await window.tracer.flush();
      return window.tracer.stats();
    }, count);
    for (const status of [429, 503]) {
      collector.state.status = status;
      const stats = await send(10);
      assert.equal(stats.delivered, 0, JSON.stringify(stats));
    }
    collector.state.status = 200;
    await send(10);
    await arrived(30);
    assert.deepEqual(indices(), upTo(30), "each once, whatever the order");
    await until("the page's word", async () => ((await statsOf(opened)).delivered === 30 ? true : undefined));
    collector.state.status = 413;
    assert.equal((await send(10)).rejected, 10);
    Object.assign(collector.state, { status: 200, body: PARTIAL });
    const last = await send(10);
    assert.deepEqual([last.delivered, last.rejected, last.undelivered], [37, 13, 0]);
    assert.ok(isBalanced(last), JSON.stringify(last));
  });
});

test("a collector that fails in the moment in which the page goes: counted, and with atLeastOnce sent again", async () => {
  for (const atLeastOnce of [false, true]) {
    await withSender({ options: { atLeastOnce } }, async ({ collector, open, close, arrived, indices }) => {
      const opened = await open();
      await opened.evaluate(() => window.tracer.flush());
      collector.state.status = 503;
      await opened.evaluate(() => window.record(100));
      await close(opened);
      await until("the last request", () => collector.requests[0]);
      collector.state.status = 200;
      const next = await open();
      if (atLeastOnce) {
        await arrived(100);
        assert.deepEqual(indices(), upTo(100));
      }
      const stats = await until("the ledger", async () => {
        const stats = await statsOf(next);
        return stats.restored === 100 ? stats : undefined;
      });
      assert.equal(stats[atLeastOnce ? "delivered" : "handedOver"], 100, JSON.stringify(stats));
      assert.ok(isBalanced(stats), JSON.stringify(stats));
    });
  }
});

test("the queue is bounded: the oldest make room and are counted", async () => {
  await withSender({ options: { most: 3 } }, async ({ collector, open, close, arrived, indices }) => {
    const opened = await open();
    await opened.evaluate(() => window.tracer.flush());
    collector.state.down = true;
    for (let round = 0; round < 5; round++) {
      await opened.evaluate(async () => {
        window.record(10);
        await window.tracer.flush();
      });
    }
    // A flush does not wait for ever for what keeps the page from sending.
    const stats = await until("room in the queue", async () => {
      const stats = await statsOf(opened);
      return stats.expired >= 20 ? stats : undefined;
    });
    assert.deepEqual([stats.kept, stats.expired], [50, 20], JSON.stringify(stats));
    await close(opened);
    collector.state.down = false;
    await open();
    await arrived(30);
    assert.deepEqual(indices(), upTo(50).slice(20));
  });
});

test("without a database nothing is kept, and nothing else changes", async () => {
  await withSender({}, async ({ collector, context, open, close, arrived, indices }) => {
    await context.addInitScript("Object.defineProperty(window, 'indexedDB', { get() { throw new DOMException('no', 'SecurityError'); } });");
    const opened = await open();
    // Not before the page goes: another attempt would go with it.
    Object.assign(collector.state, { status: 503, headers: { "retry-after": "60" } });
    const stats = await opened.evaluate(async () => {
      window.record(10);
      await window.tracer.flush();
      return window.tracer.stats();
    });
    assert.ok(isBalanced(stats) && stats.waiting === 10 && !stats.kept, JSON.stringify(stats));
    Object.assign(collector.state, { status: 200, headers: {} });
    await opened.evaluate(() => window.record(90));
    await close(opened);
    await arrived(100);
    assert.deepEqual(indices(), upTo(100));
  });
});

test("a page that records a lot and goes before its database has opened: every span arrives with the next page", async () => {
  // What a browser may cut off when it closes a tab is sent again.
  await withSender({ options: { atLeastOnce: true } }, async ({ context, open, close, indices }) => {
    await context.addInitScript("if (location.hash === '#slow') IDBFactory.prototype.open = () => ({});");
    const opened = await open("/#slow");
    const stats = await opened.evaluate(() => {
      window.record(500, "x".repeat(900));
      return window.tracer.stats();
    });
    assert.ok(isBalanced(stats) && stats.batchFull === 0, JSON.stringify(stats));
    await close(opened);
    await open();
    const distinct = await until("500 spans", () => {
      const found = [...new Set(indices())];
      return found.length === 500 ? found : undefined;
    });
    assert.deepEqual(distinct, upTo(500));
  });
});
