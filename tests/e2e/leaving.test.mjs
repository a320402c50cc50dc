/** Nothing is lost at the end: spans leave a page that is left or closed, and a server that is told to stop. */

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";

import { byTestId, checkOut, openPage, startBrowser } from "./support/browser.mjs";
import { startShop, startViewer } from "./support/processes.mjs";
import { spansOf } from "./support/viewer.mjs";

const OF_THE_PAGE = ["shop-web: documentLoad", "shop-web: checkout", "shop-web: POST"];

let viewer, shop, browser, profile, page;

before(async () => {
  viewer = await startViewer();
  browser = await startBrowser();
  // One for all pages: it outlives them, as somebody's browser outlives a closed tab.
  profile = await browser.newContext();
});

after(async () => {
  await browser?.close();
  await viewer?.end();
});

beforeEach(async () => {
  shop = await startShop(viewer.url);
  page = await openPage(profile, shop.url);
});

afterEach(async () => {
  if (!page.isClosed()) await page.close();
  await shop.end();
});

test("a page that is left in the moment of the outcome sends its spans", async () => {
  await page.evaluate(() => {
    const outcome = document.querySelector('[data-testid="outcome"]');
    // Told right after the click's span has ended, long before a batch is due.
    new MutationObserver(() => {
      if (outcome.dataset.state !== "done") return;
      sessionStorage.setItem("trace", document.querySelector('[data-testid="trace-id"]').textContent);
      location.href = "/style.css";
    }).observe(outcome, { attributes: true });
  });
  await byTestId(page, "checkout").click();
  await page.waitForURL("**/style.css");
  const traceId = await page.evaluate(() => sessionStorage.getItem("trace"));
  await spansOf(viewer, traceId, [...OF_THE_PAGE, "shop: POST /api/checkout"]);
});

test("a page that is closed right after the outcome sends its spans", async () => {
  // A browser ends a page that is closed after half a second, on a busy machine before its listeners began: such a page says nothing about them.
  for (let isInTime = false, round = 0; !isInTime; round++) {
    assert.ok(round < 50, "every page was ended too soon");
    await page.evaluate(() => addEventListener("pagehide", () => (localStorage.isInTime = true)));
    const { traceId } = await checkOut(page);
    await page.close();
    page = await openPage(profile, shop.url);
    isInTime = await page.evaluate(() => "isInTime" in localStorage);
    if (isInTime) await spansOf(viewer, traceId, [...OF_THE_PAGE, "shop: POST /api/checkout"]);
  }
});

test("a server that is told to stop delivers its last spans and ends well", async () => {
  const { traceId } = await checkOut(page);
  assert.equal(await shop.end(), 0);
  await spansOf(viewer, traceId, ["shop: POST /api/checkout", "shop: authorize"]);
});

test("a viewer that cannot be reached changes nothing for the customer", async () => {
  const unreachable = await startShop("http://127.0.0.1:9");
  try {
    const alone = await openPage(profile, unreachable.url);
    assert.equal((await checkOut(alone)).state, "done");
    await alone.close();
  } finally {
    assert.equal(await unreachable.end(), 0, "the shutdown ends by itself");
  }
  assert.match(unreachable.output(), /clewline: /, "what was lost is said on stderr");
});
