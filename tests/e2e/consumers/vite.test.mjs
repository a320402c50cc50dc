/** A React application built by Vite, with the files of README.md's recipe, and the same under its development server. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createServer } from "vite";

import { openPage, painted, startBrowser } from "../support/browser.mjs";
import { COLLECTOR, arrival, build, directoryOf, evaluation, install, serve } from "../support/consumer.mjs";
import { snippets } from "../support/readme.mjs";
import { startCollector } from "../support/site.mjs";
import { until } from "../support/viewer.mjs";

const json = (body) => ({ body: JSON.stringify(body), type: "application/json" });
const PAGES = { "/api/products": json(["thread"]), "/api/checkout": json({ id: "o-1" }) };
const [POLICY] = snippets("wasm/README.md", "http").flatMap(({ text }) => /^Content-Security-Policy: (.*)$/m.exec(text)?.[1] ?? []);

let files, collector, browser;

before(async () => {
  await install("vite");
  files = await build("vite");
  collector = await startCollector();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await collector?.end();
});

/** Loads the application, goes to the cart, checks out; then holds what arrived against what should have. */
async function visit(url, requests) {
  collector.requests.length = 0;
  const page = await openPage(browser, url);
  await painted(page);
  await page.click("#cart");
  await page.waitForSelector("#failed");
  await page.click("#checkout");
  await page.getByText("Checkout o-1").waitFor();
  const [load] = await arrival(collector, "documentLoad");
  const [products] = await arrival(collector, "GET");
  const [order] = await arrival(collector, "POST");
  const [checkout] = await arrival(collector, "checkout");
  const [navigation] = await arrival(collector, "navigation");
  const [failure] = await arrival(collector, "render error");
  const clicks = await arrival(collector, "click", 2);
  assert.equal(load.parentSpanId, "");
  assert.deepEqual(clicks.map(({ attributes }) => attributes["ui.element"]), ["button#cart", "button#checkout"]);
  assert.equal(checkout.parentSpanId, clicks[1].spanId);
  assert.equal(order.parentSpanId, checkout.spanId);
  assert.deepEqual(checkout.attributes, { "order.id": "o-1" });
  assert.equal(navigation.attributes["url.path"], "/cart");
  assert.equal(failure.events[0].attributes["exception.message"], "nothing to recommend");
  const sent = ["/api/products", "/api/checkout"].map((path) => requests.find((request) => request.path === path).headers.traceparent);
  assert.deepEqual(sent, [products, order].map(({ traceId, spanId }) => `00-${traceId}-${spanId}-03`));
  const problems = page.problems;
  // Some vitals are final when the page is left; for its listeners, a browser has half a second when a page is closed, and all the time when it is left.
  await page.goto("about:blank");
  await page.close();
  for (const vital of [/\bTTFB$/i, /\bLCP$/i]) {
    await until(`a vital, of ${collector.spans().map(({ name }) => name)}`, () => collector.spans().find(({ name }) => vital.test(name)));
  }
  return { load, products, problems };
}

test("a production build traces its load, routes, clicks and vitals under a strict policy", async () => {
  const site = await serve(files, collector, { policy: POLICY, pages: PAGES });
  try {
    const { problems } = await visit(site.url, site.requests);
    assert.deepEqual(problems, []);
  } finally {
    await site.end();
  }
});

test("the development server needs no setting", async () => {
  const requests = [];
  const answering = {
    name: "the application's server, and the test's collector",
    configureServer: ({ middlewares }) => {
      middlewares.use((request, response, next) => {
        const page = PAGES[request.url];
        if (!page) return next();
        requests.push({ path: request.url, headers: request.headers });
        response.setHeader("content-type", page.type);
        response.end(page.body);
      });
    },
    transform: (code) => code.replaceAll(COLLECTOR, collector.url),
  };
  const server = await createServer({
    root: directoryOf("vite"),
    configFile: false,
    logLevel: "error",
    cacheDir: "node_modules/.vite",
    server: { host: "127.0.0.1", port: 0 },
    plugins: [answering],
  });
  try {
    await server.listen();
    const { problems } = await visit(`http://127.0.0.1:${server.httpServer.address().port}/`, requests);
    assert.deepEqual(problems, []);
  } finally {
    await server.close();
  }
});

test("nothing in the bundle makes code of texts", () => {
  const scripts = Object.keys(files).filter((name) => name.endsWith(".js"));
  assert.ok(scripts.length > 0);
  for (const name of scripts) assert.equal(evaluation(files[name]), undefined, name);
});
