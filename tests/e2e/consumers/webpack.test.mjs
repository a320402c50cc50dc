/** A page built by webpack, under policies that allow WebAssembly and that forbid it: both trace, and only the second loads the fallback. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";

import { openPage, startBrowser } from "../support/browser.mjs";
import { arrival, build, directoryOf, evaluation, install, serve } from "../support/consumer.mjs";
import { snippets } from "../support/readme.mjs";
import { startCollector } from "../support/site.mjs";

const POLICIES = snippets("wasm/README.md", "http").flatMap(({ text }) => /^Content-Security-Policy: (.*)$/m.exec(text)?.[1] ?? []);
/** A text that only the module as JavaScript has. */
const FALLBACK = "imul";

let files, collector, browser;

before(async () => {
  await install("webpack");
  files = await build("webpack");
  files["index.html"] = readFileSync(path.join(directoryOf("webpack"), "index.html"), "utf8");
  files["icon.svg"] = '<svg xmlns="http://www.w3.org/2000/svg"/>';
  collector = await startCollector();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await collector?.end();
});

/** The built files with the module as JavaScript in them. */
const fallbacks = () => Object.keys(files).filter((name) => name.endsWith(".js") && files[name].includes(FALLBACK));

/** Opens the page under a policy, clicks, and answers what was requested, and what the page complained of. */
async function visit(policy) {
  collector.requests.length = 0;
  const site = await serve(files, collector, { policy, pages: { "/api/buy": { body: "{}", type: "application/json" } } });
  const page = await openPage(browser, site.url);
  try {
    await page.waitForFunction(() => window.tracer);
    await page.click("#buy");
    const [load] = await arrival(collector, "documentLoad");
    const [click] = await arrival(collector, "click");
    const [request] = await arrival(collector, "GET");
    assert.equal(load.parentSpanId, "");
    assert.equal(request.parentSpanId, click.spanId);
    assert.equal(request.traceId, click.traceId);
    assert.ok(request.end > request.start && load.end > load.start);
    const { traceparent } = site.requests.find(({ path }) => path === "/api/buy").headers;
    assert.equal(traceparent, `00-${request.traceId}-${request.spanId}-03`);
    const { staleHandles, malformedParents, undelivered } = await page.evaluate(() => window.tracer.stats());
    assert.deepEqual({ staleHandles, malformedParents, undelivered }, { staleHandles: 0, malformedParents: 0, undelivered: 0 });
    return { problems: page.problems, requested: site.requests.map(({ path }) => path.slice(1)) };
  } finally {
    await page.close();
    await site.end();
  }
}

test("README.md names one policy with WebAssembly and one without", () => {
  assert.deepEqual(POLICIES.map((policy) => policy.includes("'wasm-unsafe-eval'")), [true, false]);
  assert.ok(POLICIES.every((policy) => policy.includes("script-src 'self'") && !policy.includes("'unsafe-")), POLICIES.join("\n"));
});

test("the module as JavaScript is a file of its own", () => {
  assert.equal(fallbacks().length, 1, Object.keys(files).join());
  assert.ok(!["main.js", "lean.js"].includes(fallbacks()[0]));
});

test("with 'wasm-unsafe-eval' the fallback is not even loaded", async () => {
  const { problems, requested } = await visit(POLICIES[0]);
  assert.deepEqual(problems, []);
  assert.ok(requested.includes("main.js") && !requested.includes(fallbacks()[0]), requested.join());
});

test("with script-src 'self' the fallback traces, and the browser complains of WebAssembly alone", async () => {
  const { problems, requested } = await visit(POLICIES[1]);
  assert.equal(requested.filter((name) => name === fallbacks()[0]).length, 1, requested.join());
  assert.ok(problems.length <= 1 && problems.every((problem) => /WebAssembly/.test(problem)), problems.join("\n"));
});

test("a bundle holds what it uses, and nothing that makes code of texts", () => {
  for (const [name, text] of Object.entries(files)) if (name.endsWith(".js")) assert.equal(evaluation(text), undefined, name);
  for (const mark of ["documentLoad", "indexedDB", "web_vital", "setGlobalTracerProvider"]) assert.ok(!files["lean.js"].includes(mark), mark);
  assert.ok(files["main.js"].includes("documentLoad"));
});
