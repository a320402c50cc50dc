/** The clock: nanoseconds, one reading each, forward after sleep, never backwards. */

import assert from "node:assert/strict";
import test from "node:test";

import { load, withGlobals } from "./support.mjs";

const { checkClock, epochOf, now, openClock, timeOf } = await load("clock.mjs");

/** Two hands that a test moves, and the anchor of the clock that reads them. */
function hands(t) {
  const at = { steady: 1234.5, wall: 1_700_000_000_000, readings: 0 };
  withGlobals(t, { performance: { now: () => (at.readings++, at.steady) } });
  t.mock.method(Date, "now", () => at.wall);
  const anchor = openClock();
  at.readings = 0;
  return { at, anchor };
}

test("readings are exact nanoseconds since the anchor", (t) => {
  const { at, anchor } = hands(t);
  assert.equal(anchor, 1_700_000_000_000);
  assert.equal(now(), 0);
  at.steady += 0.005;
  assert.equal(now(), 5000);
  at.steady += 86_400_000;
  assert.equal(now(), 86_400_000_005_000);
  assert.equal(at.readings, 3, "one each");
  assert.equal(timeOf(1_700_000_000_001.5), 1_500_000);
  assert.equal(timeOf(new Date(1_699_999_999_999)), -1_000_000);
  for (const none of [undefined, null, NaN, new Date("soon"), "soon", {}]) assert.equal(timeOf(none), 86_400_000_005_000);
  assert.equal(epochOf(1244.5), 1_700_000_000_010);
});

test("after sleep the readings catch up at once", (t) => {
  const { at } = hands(t);
  at.steady += 10;
  at.wall += 3_600_010;
  checkClock();
  assert.equal(now(), 3_600_010_000_000);
});

test("small differences are left alone", (t) => {
  const { at } = hands(t);
  at.steady += 1000;
  at.wall += 1049;
  checkClock();
  assert.equal(now(), 1_000_000_000);
});

test("a wall clock that was set back never makes time run backwards", (t) => {
  const { at } = hands(t);
  at.steady += 1000;
  const before = now();
  at.steady += 200;
  at.wall += 700; // 500 behind, of which only 200 passed since the last reading
  checkClock();
  const after = now();
  assert.ok(after >= before);
  assert.equal(Math.round(after), 1_000_000_000, "as far back as possible");
  at.steady += 400;
  at.wall += 400;
  assert.equal(now(), 1_400_000_000, "and it does not stand still");
  at.steady += 300;
  at.wall += 300;
  checkClock();
  assert.equal(now(), 1_400_000_000, "the rest is caught up in the next pause");
});
