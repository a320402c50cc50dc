/** A site whose page records as many spans as a test likes, and the collector that they go to. */

import assert from "node:assert/strict";
import { after, before } from "node:test";

import { decode } from "../../../wasm/tests/js/support.mjs";
import { openPage, startBrowser } from "./browser.mjs";
import { page, startCollector, startSite } from "./site.mjs";
import { until } from "./viewer.mjs";

/** A page whose tracer sends nothing by itself for a minute, but for full requests, and for what an earlier page left. */
const script = (endpoint, { imports, options, others }) => `
  import { init } from "/clewline/index.mjs";
  import { keepOffline } from "/clewline/offline.mjs";
  ${imports}
  const tracer = (window.tracer = init({ serviceName: "page", endpoint: "${endpoint}", flushInterval: 60000,
    instrumentations: [keepOffline(${JSON.stringify(options)}), ${others}] }));
  let index = 0;
  window.record = (count, text) => {
    for (const end = index + count; index < end; index++) {
      tracer.startSpan("work", { attributes: { index, "http.request.method": "GET", "url.full": "https://shop.example/cart/items/17", text } }).end();
    }
  };
  // Behind the package's own.
  addEventListener("pagehide", () => (localStorage.left = "in peace"));`;

/**
 * Starts a site with a collector of its own, on the same origin or another, behind a preflight of 150 ms. `imports` and `others` are
 * JavaScript: further imports, further instrumentations; `options` are those of `keepOffline`.
 */
export async function startSender(browser, { isSameOrigin = false, imports = "", others = "", options = {} } = {}) {
  const collector = await startCollector();
  collector.state.preflightDelay = 150;
  const own = [];
  const code = () => page(script(isSameOrigin ? "/otlp" : collector.url, { imports, others, options }));
  const site = await startSite({
    "/": code,
    "/elsewhere": () => page(""),
    "/otlp/v1/traces": (request, _, body) => {
      own.push(...decode(body).spans);
      return { body: "" };
    },
  });
  const context = await browser.newContext();
  const spans = () => (isSameOrigin ? own : collector.spans());
  return {
    collector,
    site,
    context,
    spans,
    open: (path = "/") => openPage(context, site.url + path),
    /**
     * Leaves a page and closes its tab. A page that is only closed the browser ends after half a second, in the midst of what its listeners do:
     * on a busy machine, that is too soon for any of them.
     */
    async close(opened) {
      await opened.goto("about:blank");
      await opened.close();
    },
    /** Whether the page that went before this one was given the time that its listeners took. */
    hasLeftInPeace: (next) => next.evaluate(() => localStorage.left === "in peace"),
    /** Waits until so many spans are there. */
    arrived: (count) => until(() => `${count} spans, of which ${spans().length} are there`, () => (spans().length >= count ? true : undefined)),
    /** Their numbers, in order, each as often as it arrived. */
    indices: () => spans().map((span) => span.attributes.index.int).sort((one, other) => one - other),
    async end() {
      await context.close();
      await Promise.all([site.end(), collector.end()]);
    },
  };
}

/** Starts a browser for a file of tests. Answers what runs a test with a sender of its own in it. */
export function senders() {
  let browser;
  before(async () => {
    browser = await startBrowser();
  });
  after(() => browser?.close());
  return async (options, run) => {
    const sender = await startSender(browser, options);
    try {
      return await run(sender);
    } finally {
      await sender.end();
    }
  };
}

/** The ledger of a page when nothing is on its way any more, neither its own nor out of the queue, which pages lock while they send. */
export const settled = (opened) =>
  until("the ledger", async () => {
    const [stats, locks] = await opened.evaluate(async () => {
      const { held, pending } = await navigator.locks.query();
      return [window.tracer.stats(), held.length + pending.length];
    });
    return stats.waiting + locks === 0 ? stats : undefined;
  });

export const upTo = (count) => Array.from({ length: count }, (_, index) => index);

/** Whether every span is in one place of the ledger: those that were started here, and those that another page had kept. */
export const isBalanced = ({ started, restored = 0, live, batched, waiting, delivered, handedOver = 0, rejected, kept = 0, abandoned, batchFull, undelivered }) =>
  started + restored === live + batched + waiting + delivered + handedOver + rejected + kept + abandoned + batchFull + undelivered;

/**
 * A browser ends a page that is closed after half a second, whatever its listeners are at. On a busy machine that is before they began: such
 * a page says nothing about them, so there is another one, until `check` answers that its page had the time that it needed.
 */
export async function inTime(check) {
  for (let round = 0; !(await check()); round++) assert.ok(round < 50, "every page was ended too soon");
}
