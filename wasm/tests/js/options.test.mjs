/** `init`: defaults, and an error that names the option. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import test from "node:test";

import { DIST, load, start } from "./support.mjs";

const { readOptions } = await load("options.mjs");
const { init, stats } = await load("index.mjs");

test("every mistake names its option", () => {
  const table = [
    [undefined, '"serviceName" cannot be undefined'],
    [null, '"serviceName" cannot be undefined'],
    ["shop-web", '"0" is unknown'],
    [{}, '"serviceName" cannot be undefined'],
    [{ serviceName: " " }, '"serviceName" cannot be " "'],
    [{ serviceName: 7 }, '"serviceName" cannot be 7'],
    [{ serviceName: "s", endpoint: "localhost:4318" }, '"endpoint"'],
    [{ serviceName: "s", endpoint: "/relative/without/a/page" }, '"endpoint"'],
    [{ serviceName: "s", endpoint: "ftp://host" }, '"endpoint"'],
    [{ serviceName: "s", endpoint: "http://host/v1/traces" }, '"endpoint" cannot be "http://host/v1/traces"'],
    [{ serviceName: "s", endpoint: "" }, '"endpoint"'],
    [{ serviceName: "s", headers: { "bad name": "x" } }, '"headers"'],
    [{ serviceName: "s", endpoint: 4318 }, '"endpoint" cannot be 4318'],
    [{ serviceName: "s", headers: 7 }, '"headers"'],
    [{ serviceName: "s", resource: "shop" }, '"resource" cannot be "shop"'],
    [{ serviceName: "s", batchSize: 0 }, '"batchSize" cannot be 0'],
    [{ serviceName: "s", batchSize: "512" }, '"batchSize"'],
    [{ serviceName: "s", flushInterval: 60_001 }, '"flushInterval"'],
    [{ serviceName: "s", resource: { key: {} } }, '"resource"'],
    [{ serviceName: "s", sampleRatio: 1.5 }, '"sampleRatio" cannot be 1.5'],
    [{ serviceName: "s", sampleRatio: "1" }, '"sampleRatio"'],
    [{ serviceName: "s", sampleRatio: NaN }, '"sampleRatio"'],
    [{ serviceName: "s", flushInterval: 0 }, '"flushInterval"'],
    [{ serviceName: "s", instrumentations: "fetch" }, '"instrumentations"'],
    [{ serviceName: "s", instrumentations: [undefined] }, '"instrumentations"'],
    [{ serviceName: "s", serviceNmae: "s" }, '"serviceNmae" is unknown'],
    [{ serviceName: "s", toString: 1 }, '"toString" is unknown'],
  ];
  for (const [options, part] of table) {
    assert.throws(
      () => init(options),
      (error) => error instanceof TypeError && error.message.startsWith("clewline: init ") && error.message.includes(part),
      `${JSON.stringify(options)} should say ${part}`,
    );
  }
});

test("so does every mistake in the options of the offline queue", async () => {
  const { keepOffline } = await load("offline.mjs");
  for (const [options, part] of [
    [{ name: "" }, '"name" cannot be ""'],
    [{ name: 7 }, '"name" cannot be 7'],
    [{ most: 0 }, '"most" cannot be 0'],
    [{ most: 1.5 }, '"most" cannot be 1.5'],
    [{ most: "100" }, '"most" cannot be "100"'],
    [{ atLeastOnce: "yes" }, '"atLeastOnce" cannot be "yes"'],
  ]) {
    assert.throws(() => keepOffline(options), { name: "TypeError", message: `clewline: keepOffline option ${part}` });
  }
});

test("defaults and the address for traces", () => {
  const endpoint = (given) => readOptions({ serviceName: "s", endpoint: given }).endpoint;
  assert.equal(endpoint(undefined), "http://localhost:4318/v1/traces");
  assert.equal(endpoint("https://otel.example.com/base/"), "https://otel.example.com/base/v1/traces");
  assert.equal(endpoint("https://otel.example.com?key=1#x"), "https://otel.example.com/v1/traces?key=1");
  const { sampleRatio, flushInterval, batchSize, instrumentations, headers, resource } = readOptions({ serviceName: "s", sampleRatio: undefined });
  assert.deepEqual({ sampleRatio, flushInterval, batchSize, instrumentations, headers, resource }, {
    sampleRatio: 1,
    flushInterval: 1000,
    batchSize: 512,
    instrumentations: [],
    headers: {},
    resource: {},
  });
});

test("init twice answers the same tracer, or says what to do", async (t) => {
  assert.throws(stats, /call init\(\) before stats\(\)/);
  const { tracer } = await start(t, { resource: { a: 1 } });
  const same = { serviceName: "test", endpoint: "http://collector.test", instrumentations: [() => {}], resource: { a: 1 } };
  assert.equal(init(same), tracer);
  assert.throws(() => init({ ...same, serviceName: "other" }), /init was called with other options; await shutdown\(\) first/);
  assert.deepEqual(stats(), tracer.stats());
  await tracer.shutdown();
  const next = init({ serviceName: "other" });
  assert.notEqual(next, tracer);
  await next.shutdown();
});

test("a resource that does not fit is an error, not a loss", () => {
  const resource = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`key.${index}`, "x".repeat(500)]));
  assert.throws(() => init({ serviceName: "s", resource }), /"resource" is too large/);
});

test("instrumentations begin with init and end with shutdown, the last first", async () => {
  const seen = [];
  const instrument = (name) => () => {
    seen.push(`${name} on`);
    return () => seen.push(`${name} off`);
  };
  const tracer = init({ serviceName: "s", instrumentations: [instrument("a"), instrument("b"), () => {}] });
  await tracer.shutdown();
  assert.deepEqual(seen, ["a on", "b on", "b off", "a off"]);
});

test("an instrumentation that fails is said, and stops neither the others nor the program", async (t) => {
  const said = t.mock.method(console, "error", () => {});
  const failure = new RangeError("no such thing here");
  const seen = [];
  const well = (name) => () => (seen.push(name), () => seen.push(`${name} off`));
  const failing = () => {
    throw failure;
  };
  const tracer = init({ serviceName: "s", instrumentations: [well("a"), failing, () => failing, well("b")] });
  tracer.startSpan("goes on").end();
  const words = ["clewline: an instrumentation failed", failure];
  assert.deepEqual(said.mock.calls.map((call) => call.arguments), [words]);
  assert.equal(tracer.stats().started, 1);
  await tracer.shutdown();
  assert.deepEqual(seen, ["a", "b", "b off", "a off"]);
  assert.deepEqual(said.mock.calls.map((call) => call.arguments), [words, words], "one fails to end");
});

test("clewline/slim takes a module or the exports of an instance, and says so to everything else", async () => {
  const slim = await load("slim.mjs");
  const bytes = await readFile(new URL("core.wasm", DIST));
  for (const wrong of [undefined, null, bytes, WebAssembly.compile(bytes), new WebAssembly.Instance(new WebAssembly.Module(bytes)), "core.wasm"]) {
    assert.throws(() => slim.init({ serviceName: "s" }, wrong), { name: "TypeError", message: /^clewline: init's second argument is to be core\.wasm, compiled/ });
  }
  const module = new WebAssembly.Module(bytes);
  for (const right of [module, new WebAssembly.Instance(module).exports]) {
    const tracer = slim.init({ serviceName: "s" }, right);
    tracer.startSpan("one").end();
    assert.equal(slim.stats().started, 1);
    await tracer.shutdown();
  }
});

test("a server's localStorage is left alone", async (t) => {
  let reads = 0;
  const own = Object.getOwnPropertyDescriptor(globalThis, "localStorage");
  Object.defineProperty(globalThis, "localStorage", { configurable: true, get: () => void reads++ });
  t.after(() => (own ? Object.defineProperty(globalThis, "localStorage", own) : delete globalThis.localStorage));
  const { tracer } = await start(t);
  await tracer.shutdown();
  assert.equal(reads, 0);
});
