/** A site whose page traces itself with the instrumentations that a test names, a stranger's site, and a collector. */

import assert from "node:assert/strict";

import { openPage, startBrowser } from "./browser.mjs";
import { page, startCollector, startSite } from "./site.mjs";
import { until } from "./viewer.mjs";

/** Which entry of the package has which function. */
const ENTRIES = {
  traceDocumentLoad: "document-load",
  traceErrors: "errors",
  traceFetch: "fetch",
  traceInteraction: "interaction",
  traceLongTasks: "long-tasks",
  traceNavigation: "navigation",
  browser: "session",
  session: "session",
  traceSession: "session",
  traceTiming: "timing",
  traceVisibility: "visibility",
  traceWeb: "web",
  traceWebVitals: "web-vitals",
  traceXhr: "xhr",
};

const script = (collector, use, options) => {
  const names = Object.keys(ENTRIES).filter((name) => new RegExp(`\\b${name}\\b`).test(use + options));
  return `import { init } from "/clewline/index.mjs";
    ${names.map((name) => `import { ${name} } from "/clewline/${ENTRIES[name]}.mjs";`).join("\n")}
    window.start = (instrumentations) => (window.tracer = init({ serviceName: "page", endpoint: "${collector}", flushInterval: 20, instrumentations, ...(${options}) }));
    window.entries = { init, ${names.join(", ")} };
    start([${use}]);`;
};

/**
 * Starts a browser, a site with `routes` besides its page at "/", and a site of another origin with `foreign`. Each page that is opened has a
 * collector of its own: what the page before it sends at its end is not taken for this one's.
 */
export async function startInstrumented(routes = {}, foreign = {}) {
  const [browser, stranger] = await Promise.all([startBrowser(), startSite(foreign)]);
  const collectors = [];
  let collector, last;
  let shown = {};
  const own = () => {
    const { use = "", options = "{}", head, body, headers } = shown;
    return { body: page(script(collector.url, use, options), head, body), headers };
  };
  const site = await startSite({ "/": own, "/other": own, ...routes });
  const spans = () => collector.spans();
  return {
    site,
    stranger,
    spans,
    /** That of the page that was opened last. */
    get collector() {
      return collector;
    },
    /**
     * Opens the page: `use` is the list of instrumentations as its script has it, `options` further ones of `init`. The sites forget what came
     * before. `tolerate` are problems that are part of the test. `first` is run in the page before its scripts.
     */
    async open({ path = "/", tolerate, first, context, ...page } = {}) {
      shown = page;
      collectors.push((collector = await startCollector()));
      site.requests.length = stranger.requests.length = 0;
      const profile = context ?? (await browser.newContext());
      if (first) await profile.addInitScript(first);
      const opened = (last = await openPage(profile, site.url + path));
      opened.finish = async () => {
        assert.deepEqual(opened.problems.filter((problem) => !tolerate?.test(problem)), []);
        await profile.close();
      };
      return opened;
    },
    profile: () => browser.newContext(),
    /** All spans of a name, as soon as there are `count`, and none more of what the page that was opened last recorded shortly afterwards. */
    async exactly(name, count, rest) {
      const named = () => spans().filter((span) => span.name === name);
      await until(() => `${count} spans named ${name}, of ${spans().map((span) => span.name)}`, () => (named().length >= count ? true : undefined));
      await delivered(last, rest);
      assert.equal(named().length, count, `spans named ${name}`);
      return named();
    },
    async end() {
      await browser.close();
      await Promise.all([site, stranger, ...collectors].map((server) => server.end()));
    },
  };
}

/** Lets a page go on for a while, by its own time, and waits until all that it has recorded by then is delivered. */
export const delivered = (page, rest = 150) =>
  page.evaluate(async (rest) => {
    await new Promise((resolve) => setTimeout(resolve, rest));
    await globalThis.tracer?.flush();
  }, rest);

/** Milliseconds from a span's start to its end. */
export const duration = ({ start, end }) => Number(end - start) / 1e6;
