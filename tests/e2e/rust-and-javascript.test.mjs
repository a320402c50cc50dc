/** Rust and JavaScript that both trace requests, on one page in a real Chromium: one span and one header for each request, none for exports. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { decode } from "../../wasm/tests/js/support.mjs";
import { openPage, startBrowser } from "./support/browser.mjs";
import { page as document, startSite } from "./support/site.mjs";
import { until } from "./support/viewer.mjs";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const PKG = process.env.RUST_PAGE ?? path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target"), "rust-page");
const SCRIPT = `import { init } from "/clewline/index.mjs";
  import { traceFetch } from "/clewline/fetch.mjs";
  import { traceTiming } from "/clewline/timing.mjs";
  import startRust, { checkout } from "/pkg/rust_page.js";
  window.tracer = init({ serviceName: "shop-page", endpoint: "/of-javascript", flushInterval: 20, instrumentations: [traceTiming(), traceFetch()] });
  await startRust();
  window.checkout = () => tracer.startActiveSpan("click", async (click) => {
    await checkout(7, click.traceparent(), () => {});
    await fetch("/api/after");
    click.end();
  });`;

let browser, site;

before(async () => {
  if (!existsSync(path.join(PKG, "rust_page.js"))) throw new Error(`${PKG} is not built: run \`cargo xtask test --only e2e\``);
  browser = await startBrowser();
  const files = ["rust_page.js", "rust_page_bg.wasm"].map((name) => [`/pkg/${name}`, () => ({ body: readFileSync(path.join(PKG, name)) })]);
  const taken = { body: "", type: "application/x-protobuf" };
  site = await startSite({
    "/": document(SCRIPT),
    ...Object.fromEntries(files),
    "/api/checkout": "receipt 12",
    "/api/carts/7": { body: "" },
    "/api/after": "fine",
    "/v1/traces": taken,
    "/of-javascript/v1/traces": taken,
  });
});

after(async () => {
  await browser?.close();
  await site?.end();
});

/** The spans that arrived below an address. */
const spans = (address) => site.requests.filter((request) => request.path === `${address}/v1/traces`).flatMap(({ body }) => decode(body).spans);

test("what Rust sends is a span of Rust, what JavaScript sends is one of JavaScript, and exports are none", async () => {
  const page = await openPage(await browser.newContext(), site.url);
  await page.evaluate(() => window.checkout());
  // Rust's first export, which `traceFetch` sees, is over before JavaScript's last.
  await until("the spans of Rust", () => (spans("").length >= 4 ? true : undefined));
  await page.evaluate(() => fetch("/api/after"));
  await until("the spans of JavaScript", () => (spans("/of-javascript").filter(({ name }) => name === "GET").length >= 3 ? true : undefined));

  assert.equal(await page.evaluate(() => tracer.stats().started), 4);
  const [rust, javascript] = [spans(""), spans("/of-javascript")];
  assert.deepEqual(rust.map(({ name }) => name).sort(), ["POST", "PUT", "buy", "remember"]);
  // The module of Rust is one of the page's files, fetched after `init`.
  const requests = javascript.filter(({ name }) => name !== "click").map(({ attributes }) => new URL(attributes["url.full"]).pathname);
  assert.deepEqual(requests.sort(), ["/api/after", "/api/after", "/pkg/rust_page_bg.wasm"]);
  for (const [path, method] of [["/api/checkout", "POST"], ["/api/carts/7", "PUT"]]) {
    const { headers } = site.requests.find((request) => request.path === path);
    assert.equal(headers.traceparent.slice(36, 52), rust.find(({ name }) => name === method).spanId);
  }
  assert.ok(site.requests.every(({ path, headers }) => !path.endsWith("/v1/traces") || headers.traceparent === undefined));
  assert.deepEqual(page.problems, []);
});
