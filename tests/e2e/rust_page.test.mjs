/** A page in Rust and JavaScript (examples/rust-page) in a real Chromium: one trace, headers that arrive, nothing lost at the end. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";

import { decode } from "../../wasm/tests/js/support.mjs";
import { byTestId, openPage, startBrowser } from "./support/browser.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/viewer.mjs";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const PAGE = path.join(ROOT, "examples/rust-page");
const PKG = process.env.RUST_PAGE ?? path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target"), "rust-page");
const OF_RUST = ["PUT", "remember", "POST", "buy"];
const OF_JAVASCRIPT = ["show receipt", "click"];

let browser, profile, site, page;
/** What the answers to exports wait for. */
let answering;

before(async () => {
  if (!existsSync(path.join(PKG, "rust_page.js"))) throw new Error(`${PKG} is not built: run \`cargo xtask test --only e2e\``);
  browser = await startBrowser();
  // One for all pages: it outlives them, as somebody's browser outlives a closed tab.
  profile = await browser.newContext();
  // Counts the requests whose answers a page has heard, and done with what it does at once.
  await profile.addInitScript(() => {
    const { fetch } = window;
    window.answered = 0;
    window.fetch = (request, ...rest) => {
      const answer = fetch(request, ...rest);
      if (/\/api\//.test(request.url ?? request)) void answer.finally(() => setTimeout(() => window.answered++));
      return answer;
    };
  });
});

after(() => browser?.close());

beforeEach(async () => {
  const file = (directory, name) => () => ({ body: readFileSync(path.join(directory, name)) });
  const pages = { "/": file(PAGE, "index.html"), "/page.mjs": file(PAGE, "page.mjs"), "/elsewhere": "gone" };
  for (const name of ["rust_page.js", "rust_page_bg.wasm"]) pages[`/pkg/${name}`] = file(PKG, name);
  site = await startSite({
    ...pages,
    "/api/checkout": "receipt 12",
    "/api/carts/7": { body: "" },
    "/v1/traces": async () => {
      await answering;
      return { body: "", type: "application/x-protobuf" };
    },
  });
  answering = undefined;
  page = await openPage(profile, site.url);
});

afterEach(async () => {
  if (!page.isClosed()) await page.close();
  await site.end();
});

/** Every span that has arrived, with its service. */
function spans() {
  const requests = site.requests.filter((request) => request.path === "/v1/traces" && request.body.length);
  return requests.flatMap(({ body }) => {
    const { resource, spans } = decode(body);
    return spans.map((span) => ({ ...span, service: resource["service.name"] }));
  });
}

/** The spans by name, as soon as each of them is there; those of one trace, if it is given. */
async function arrived(names, trace) {
  const wanted = () => spans().filter(({ traceId }) => !trace || traceId === trace);
  await until(() => `${names}, of ${spans().map(({ name }) => name)}`, () => {
    const here = wanted().map(({ name }) => name);
    return names.every((name) => here.includes(name)) || undefined;
  });
  const found = wanted();
  assert.equal(found.length, names.length, `each once: ${found.map(({ name }) => name)}`);
  return Object.fromEntries(found.map((span) => [span.name, span]));
}

/** The `traceparent` that the server got with a request. */
const header = (method, path) =>
  site.requests.find((request) => request.method === method && request.path === path).headers.traceparent;

/** Checks out, and waits until the page has both answers: the one is shown, the other ends a span. */
async function checkOut() {
  const before = await page.evaluate(() => window.answered);
  await page.locator('[data-testid="checkout"]:enabled').click();
  await page.locator('[data-testid="receipt"]:has-text("receipt 12")').waitFor();
  await page.waitForFunction((count) => window.answered === count, before + 2);
}

test("a click in JavaScript, the checkout in Rust and the server are one trace", async () => {
  await checkOut();
  const all = await arrived([...OF_RUST, ...OF_JAVASCRIPT]);
  const services = Object.values(all).map(({ name, service }) => [name, service]);
  assert.deepEqual(
    Object.fromEntries(services),
    Object.fromEntries([...OF_RUST.map((name) => [name, "shop-rust"]), ...OF_JAVASCRIPT.map((name) => [name, "shop-page"])]),
  );
  const parents = { buy: "click", POST: "buy", remember: "buy", PUT: "remember", "show receipt": "buy" };
  for (const [child, parent] of Object.entries(parents)) {
    assert.equal(all[child].parentSpanId, all[parent].spanId, `${parent} is the parent of ${child}`);
    assert.equal(all[child].traceId, all.click.traceId);
  }
  assert.equal(header("POST", "/api/checkout"), `00-${all.click.traceId}-${all.POST.spanId}-03`);
  assert.equal(header("PUT", "/api/carts/7"), `00-${all.click.traceId}-${all.PUT.spanId}-03`);
  assert.deepEqual(all.buy.attributes.cart, { int: 7 });
  // The two clocks of a page, Rust's and JavaScript's, were anchored at different moments.
  const millis = (time) => Number(time / 1_000_000n);
  assert.ok(Math.abs(millis(all.buy.start) - millis(all.click.start)) < 10_000);
  assert.deepEqual(page.problems, []);
});

test("a page that is closed right after the outcome sends its spans", async () => {
  // A browser ends a page that is closed after half a second, on a busy machine before its listeners began: such a page says nothing about them.
  for (let isInTime = false, round = 0; !isInTime; round++) {
    assert.ok(round < 50, "every page was ended too soon");
    await page.evaluate(() => addEventListener("pagehide", () => (localStorage.isInTime = true)));
    await checkOut();
    const request = site.requests.findLast(({ path }) => path === "/api/checkout");
    await page.close();
    page = await openPage(profile, site.url);
    isInTime = await page.evaluate(() => "isInTime" in localStorage);
    if (isInTime) await arrived([...OF_RUST, ...OF_JAVASCRIPT], request.headers.traceparent.slice(3, 35));
  }
});

for (const [how, leave] of [
  ["left for another page", () => page.goto(`${site.url}/elsewhere`)],
  ["reloaded", () => page.reload()],
]) {
  test(`a page that is ${how} right after the outcome sends its spans`, async () => {
    await checkOut();
    await leave();
    await arrived([...OF_RUST, ...OF_JAVASCRIPT]);
  });
}

for (const [how, leave] of [
  ["reloaded", () => page.reload()],
  ["left and entered anew", () => page.goto(`${site.url}/elsewhere`).then(() => page.goto(site.url))],
]) {
  test(`a page that is ${how} while its spans are on their way sends them once`, async () => {
    let answer;
    answering = new Promise((resolve) => (answer = resolve));
    await checkOut();
    const names = [...OF_RUST, ...OF_JAVASCRIPT];
    const { click } = await arrived(names);
    await leave();
    answer();
    // By the time the next page's are there, those of the page before it would be.
    await checkOut();
    await until("the next page's spans", () => spans().filter(({ traceId }) => traceId !== click.traceId).length >= names.length || undefined);
    assert.deepEqual(spans().map(({ name }) => name).sort(), [...names, ...names].sort());
  });
}

test("what became of every span can be shown on the page", async () => {
  await checkOut();
  await arrived([...OF_RUST, ...OF_JAVASCRIPT]);
  // The page hears of it later than the server, and shows what it knows at the end of each checkout.
  let ledger;
  await until(() => `the answers of the server: ${ledger}`, async () => {
    ledger = await page.evaluate(async () => (await import("/pkg/rust_page.js")).ledger());
    return / [0-3] delivered/.test(ledger) ? undefined : ledger;
  });
  assert.equal(ledger, "4 started, 4 delivered, 0 dropped");
  await checkOut();
  await byTestId(page, "ledger").filter({ hasText: /^8 started/ }).waitFor();
  assert.match(await byTestId(page, "ledger").textContent(), /^8 started, [4-8] delivered, 0 dropped$/);
});
