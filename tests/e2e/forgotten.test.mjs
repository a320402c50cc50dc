/** Spans that a page forgets, in a real Chromium: their places are given back, they are counted, and those that somebody holds go on. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startInstrumented } from "./support/instrumented.mjs";
import { until } from "./support/viewer.mjs";

const FORGOTTEN = 150;

let all;

before(async () => {
  all = await startInstrumented();
});

after(() => all?.end());

/** Collects what nothing refers to, until the page has heard of it and its ledger is as wanted. */
async function collected(page, isRight) {
  await page.evaluate(() => {
    window.registry = new FinalizationRegistry(() => setTimeout(() => (window.isCollected = true)));
    registry.register({});
  });
  const session = await page.context().newCDPSession(page);
  let stats;
  return until(() => `a collection of garbage that leaves what is wanted, not ${JSON.stringify(stats)}`, async () => {
    await session.send("HeapProfiler.collectGarbage");
    stats = await page.evaluate(() => window.isCollected && tracer.stats());
    return stats && isRight(stats) ? stats : undefined;
  });
}

for (const [use, isFreed] of [["traceWeb()", true], ["traceFetch()", false]]) {
  test(`spans that a page with ${use} forgets ${isFreed ? "are freed and counted" : "stay, until others need their places"}`, async () => {
    const page = await all.open({ use });
    // What the page's own load records has ended before.
    if (isFreed) await all.exactly("documentLoad", 1);
    const before = await page.evaluate((count) => {
      // These are first, so they are not watched.
      window.held = Array.from({ length: 40 }, (_, index) => tracer.startSpan(`held ${index}`));
      for (let index = 0; index < count; index++) tracer.startSpan("forgotten");
      return tracer.stats();
    }, FORGOTTEN);
    assert.deepEqual([before.live, before.abandoned], [40 + FORGOTTEN, 0]);
    const stats = await collected(page, ({ live }) => !isFreed || live === 40);
    assert.deepEqual([stats.live, stats.abandoned], isFreed ? [40, FORGOTTEN] : [40 + FORGOTTEN, 0]);

    // Those that are held are recorded as ever, and nothing else of the forgotten is sent.
    const after = await page.evaluate(async () => {
      for (const span of held) span.setAttribute("late", true).end();
      await tracer.flush();
      return tracer.stats();
    });
    const arrived = await until("the spans that were held", () => {
      const found = all.spans().filter(({ name }) => name.startsWith("held"));
      return found.length === 40 ? found : undefined;
    });
    assert.ok(arrived.every(({ attributes }) => attributes.late === true));
    assert.ok(!all.spans().some(({ name }) => name === "forgotten"));
    assert.deepEqual([after.live, after.staleHandles], [isFreed ? 0 : FORGOTTEN, 0]);
    await page.finish();
  });
}
