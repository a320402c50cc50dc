/** The active span: in browsers that follow promises (`AsyncContext`), in those that do not, and spans that nobody can end. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { execFile } from "node:child_process";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { DIST, load, start } from "./support.mjs";

const pause = () => new Promise((resolve) => setTimeout(resolve, 5));

test("without help the active span ends with the synchronous code; span.run and span.fetch bring it back", async (t) => {
  const { tracer, network } = await start(t);
  await tracer.startActiveSpan("outer", async (outer) => {
    await pause();
    assert.equal(tracer.activeSpan(), undefined);
    outer.run(() => tracer.startSpan("run").end());
    const response = await outer.fetch("http://api.test/a", { method: "PUT" });
    assert.equal(response.status, 200);
    assert.equal(tracer.activeSpan(), undefined);
    outer.end();
  });
  await tracer.flush();
  const spans = Object.fromEntries(network.spans().map((span) => [span.name, span]));
  assert.deepEqual([spans.run.parentSpanId, spans.PUT.parentSpanId], [spans.outer.spanId, spans.outer.spanId]);
});

test("where there is AsyncContext the active span follows promises, and is gone where none is wanted", async () => {
  // The proposal's class, by what Node.js has for it. A module of its own, because the package looks for it once.
  globalThis.AsyncContext = {
    Variable: class {
      #store = new AsyncLocalStorage();
      get = () => this.#store.getStore();
      run = (value, fn, ...args) => this.#store.run(value, fn, ...args);
    },
  };
  const { activeSpan, enter, withActive } = await import(new URL("context.mjs?async", DIST));
  delete globalThis.AsyncContext;
  const seen = [];
  const leave = enter("gesture");
  await Promise.all(
    ["one", "two"].map((name) =>
      withActive(name, async (given) => {
        assert.equal(given, name);
        await pause();
        seen.push(activeSpan());
        await withActive("inner", pause);
        seen.push(activeSpan());
      }),
    ),
  );
  assert.deepEqual(seen.sort(), ["one", "one", "two", "two"]);
  assert.equal(activeSpan(), "gesture");
  leave();
  assert.equal(activeSpan(), undefined);
});

test("spans that the program has lost make room, and are counted", async () => {
  const script = `
    import { init } from "${new URL("node.mjs", DIST)}";
    const tracer = init({ serviceName: "leaks" });
    const kept = tracer.startSpan("kept");
    for (let index = 0; index < 200; index++) tracer.startSpan("lost");
    for (let tries = 0; tries < 50 && tracer.stats().live > 40; tries++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const { live, abandoned, batched, staleHandles } = tracer.stats();
    console.log(JSON.stringify([live <= 40, live + abandoned, batched, staleHandles, kept.isRecording()]));`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", "--input-type=module", "--eval", script], { cwd: fileURLToPath(DIST) });
  assert.deepEqual(JSON.parse(stdout), [true, 201, 0, 0, true]);
});

test("a status without a message, and exceptions of any kind", async (t) => {
  const { tracer, network } = await start(t);
  for (const message of [undefined, null, "", 7]) tracer.startSpan("s").setStatus({ code: 2, message }).end();
  const odd = tracer.startSpan("odd");
  for (const exception of [undefined, null, 7, Symbol("s"), {}, { name: 5, message: null, stack: {} }]) odd.recordException(exception);
  odd.end();
  await tracer.flush();
  const spans = network.spans();
  assert.deepEqual(spans.slice(0, 4).map(({ status }) => status), ["", "", "", "7"].map((message) => ({ code: 2, message })));
  assert.deepEqual(spans[4].events.map(({ attributes }) => attributes["exception.message"]), ["undefined", "null", "7", "Symbol(s)", "[object Object]", "null"]);
  assert.equal(spans[4].events[5].droppedAttributes, 1);
  assert.equal((await load("index.mjs")).stats().staleHandles, 0);
});
