/** The clock: nanoseconds, one reading each, forward after sleep, never backwards. */

import assert from "node:assert/strict";
import test from "node:test";

import { load } from "./support.mjs";

const { Clock } = await load("clock.mjs");

/** Two hands that a test moves. */
function hands() {
  const at = { steady: 1234.5, wall: 1_700_000_000_000, readings: 0 };
  const clock = new Clock({ now: () => (at.readings++, at.steady) }, { now: () => at.wall });
  at.readings = 0;
  return { at, clock };
}

test("readings are exact nanoseconds since the anchor", () => {
  const { at, clock } = hands();
  assert.equal(clock.anchor, 1_700_000_000_000);
  assert.equal(clock.now(), 0);
  at.steady += 0.005;
  assert.equal(Math.round(clock.now()), 5000);
  at.steady += 86_400_000;
  assert.equal(Math.round(clock.now()), 86_400_000_005_000);
  assert.equal(at.readings, 3, "one each");
  assert.equal(clock.at(1_700_000_000_001.5), 1_500_000);
  assert.equal(clock.at(new Date(1_699_999_999_999)), -1_000_000);
});

test("after sleep the readings catch up at once", () => {
  const { at, clock } = hands();
  at.steady += 10;
  at.wall += 3_600_010;
  clock.check();
  assert.equal(Math.round(clock.now()), 3_600_010_000_000);
});

test("small differences are left alone", () => {
  const { at, clock } = hands();
  at.steady += 1000;
  at.wall += 1049;
  clock.check();
  assert.equal(Math.round(clock.now()), 1_000_000_000);
});

test("a wall clock that was set back never makes time run backwards", () => {
  const { at, clock } = hands();
  at.steady += 1000;
  const before = clock.now();
  at.steady += 200;
  at.wall += 700; // 500 behind, of which only 200 passed since the last reading
  clock.check();
  const after = clock.now();
  assert.ok(after >= before);
  assert.equal(Math.round(after), 1_000_000_000, "as far back as possible");
  at.steady += 400;
  at.wall += 400;
  assert.equal(Math.round(clock.now()), 1_400_000_000, "and it does not stand still");
  at.steady += 300;
  at.wall += 300;
  clock.check();
  assert.equal(Math.round(clock.now()), 1_400_000_000, "the rest is caught up in the next pause");
});
