/** `init`: defaults, and an error that names the option. */

import assert from "node:assert/strict";
import test from "node:test";

import { load, start } from "./support.mjs";

const { readOptions } = await load("options.mjs");
const { init, stats } = await load("index.mjs");

test("every mistake names its option", () => {
  const table = [
    [undefined, "init needs an object"],
    ["shop-web", "init needs an object"],
    [{}, '"serviceName" must be a non-empty string'],
    [{ serviceName: " " }, '"serviceName"'],
    [{ serviceName: 7 }, '"serviceName" must be a non-empty string such as "shop-web", got 7'],
    [{ serviceName: "s", endpoint: "localhost:4318" }, '"endpoint"'],
    [{ serviceName: "s", endpoint: "/relative/without/a/page" }, '"endpoint"'],
    [{ serviceName: "s", endpoint: "ftp://host" }, '"endpoint"'],
    [{ serviceName: "s", endpoint: "http://host/v1/traces" }, '"endpoint" must be the http or https address of an OTLP receiver, without /v1/traces'],
    [{ serviceName: "s", headers: { "bad name": "x" } }, '"headers"'],
    [{ serviceName: "s", headers: { key: 1 } }, '"headers"'],
    [{ serviceName: "s", resource: { key: {} } }, '"resource"'],
    [{ serviceName: "s", propagateTo: "https://api.example.com" }, '"propagateTo" must be an array'],
    [{ serviceName: "s", propagateTo: ["api.example.com"] }, '"propagateTo"'],
    [{ serviceName: "s", sampleRatio: 1.5 }, '"sampleRatio" must be a number from 0 to 1, got 1.5'],
    [{ serviceName: "s", sampleRatio: "1" }, '"sampleRatio"'],
    [{ serviceName: "s", sampleRatio: NaN }, '"sampleRatio"'],
    [{ serviceName: "s", flushInterval: 0 }, '"flushInterval"'],
    [{ serviceName: "s", instrumentFetch: "no" }, '"instrumentFetch" must be true or false, got "no"'],
    [{ serviceName: "s", recordQuery: null }, '"recordQuery"'],
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

test("defaults and the address for traces", () => {
  const endpoint = (given) => readOptions({ serviceName: "s", endpoint: given }).endpoint;
  assert.equal(endpoint(undefined), "http://localhost:4318/v1/traces");
  assert.equal(endpoint("https://otel.example.com/base/"), "https://otel.example.com/base/v1/traces");
  assert.equal(endpoint("https://otel.example.com?key=1#x"), "https://otel.example.com/v1/traces?key=1");
  const { sampleRatio, flushInterval, instrumentFetch, recordQuery, propagateTo } = readOptions({ serviceName: "s" });
  assert.deepEqual({ sampleRatio, flushInterval, instrumentFetch, recordQuery, propagateTo }, {
    sampleRatio: 1,
    flushInterval: 1000,
    instrumentFetch: true,
    recordQuery: false,
    propagateTo: [],
  });
});

test("init twice answers the same tracer, or names what differs", async (t) => {
  assert.throws(stats, /call init\(\) before stats\(\)/);
  const propagateTo = ["https://a.example", /b/];
  const { tracer } = await start(t, { propagateTo });
  assert.equal(init({ serviceName: "test", endpoint: "http://collector.test/", propagateTo: ["https://a.example", /b/] }), tracer);
  assert.throws(() => init({ serviceName: "other", endpoint: "http://collector.test", propagateTo }), /another "serviceName"/);
  assert.throws(() => init({ serviceName: "test", endpoint: "http://collector.test", propagateTo: [/c/] }), /another "propagateTo"/);
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
