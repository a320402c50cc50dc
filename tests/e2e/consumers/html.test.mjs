/** Pages without a bundler: README.md's recipe, the strictest policies, a page that its server rendered in a trace, and CORS as documented. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { decode } from "../../../wasm/tests/js/support.mjs";
import { openPage, startBrowser } from "../support/browser.mjs";
import { arrival, directoryOf, filesIn, serve } from "../support/consumer.mjs";
import { startCollector, startSite } from "../support/site.mjs";
import { until } from "../support/viewer.mjs";

const README = readFileSync(new URL("../../../wasm/README.md", import.meta.url), "utf8");
const PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/** What a script may do under the strictest policy: nothing that is not a file of this site. */
const STRICTEST = "default-src 'none'; script-src 'self'; connect-src 'self' http://localhost:4318; require-trusted-types-for 'script'; trusted-types 'none'";

let files, collector, browser;

before(async () => {
  files = filesIn(directoryOf("html"));
  collector = await startCollector();
  browser = await startBrowser();
});

after(async () => {
  await browser?.close();
  await collector?.end();
});

/**
 * Opens one of the pages as the first one of a new site, whose other files `more` may replace; answers what `look` answers, what was
 * requested and what the page complained of.
 */
async function visit(name, look, { policy, more = {}, to = collector } = {}) {
  collector.requests.length = 0;
  const pages = { "/api/hello": "{}", "/favicon.ico": "" };
  const site = await serve({ ...files, "index.html": files[name], ...more }, to, { policy, pages });
  const context = await browser.newContext();
  const requested = [];
  context.on("request", (request) => requested.push(request.url().replace(site.url, "")));
  const page = await openPage(context, site.url);
  try {
    await look(page, site);
    return { requested, problems: page.problems };
  } finally {
    await context.close();
    await site.end();
  }
}

test("the recipe traces the load, and a click with the request that it causes", async () => {
  const { problems } = await visit("index.html", async (page, site) => {
    const [load] = await arrival(collector, "documentLoad");
    assert.equal(load.parentSpanId, "");
    await page.click("button");
    const [request] = await arrival(collector, "GET");
    const [click] = await arrival(collector, "click");
    assert.equal(request.parentSpanId, click.spanId);
    const { traceparent } = site.requests.find(({ path }) => path === "/api/hello").headers;
    assert.equal(traceparent, `00-${request.traceId}-${request.spanId}-03`);
  });
  assert.deepEqual(problems, []);
});

for (const allowed of [false, true]) {
  test(`under the strictest policy, ${allowed ? "with" : "without"} WebAssembly, a page continues its server's trace`, async () => {
    const policy = allowed ? STRICTEST.replace("script-src", "script-src 'wasm-unsafe-eval'") : STRICTEST;
    const look = async (page) => {
      const [load] = await arrival(collector, "documentLoad");
      assert.equal(`00-${load.traceId}-${load.parentSpanId}-01`, PARENT);
      await page.evaluate(() => {
        window.tracer.startActiveSpan("work", (span) => {
          for (let index = 0; index < 40; index++) span.setAttribute(`key ${index}`, index % 2 ? index / 4 : "é".repeat(index));
          span.addEvent("event", { list: [1, 2.5, "three"] }).setStatus({ code: 2, message: "no" }).end();
        });
      });
      const [work] = await arrival(collector, "work");
      assert.equal(Object.keys(work.attributes).length, 40);
      assert.deepEqual([work.attributes["key 3"], work.attributes["key 4"]], [0.75, "éééé"]);
      assert.deepEqual(work.events.map(({ attributes }) => attributes), [{ list: [{ int: 1 }, 2.5, "three"] }]);
      assert.deepEqual(work.status, { code: 2, message: "no" });
    };
    const { requested, problems } = await visit("rendered.html", look, { policy });
    assert.equal(requested.includes("/clewline/core-js.mjs"), !allowed, requested.join());
    assert.deepEqual(problems.filter((problem) => allowed || !/WebAssembly/.test(problem)), []);
  });
}

test("where WebAssembly is forbidden, the main entry says what to do", async () => {
  const more = { "rendered.mjs": files["rendered.mjs"].replace("fallback.mjs", "index.mjs") };
  const look = (page) => until("an error", () => page.problems.find((problem) => problem.includes("clewline:")));
  const { requested, problems } = await visit("rendered.html", look, { policy: STRICTEST, more });
  assert.match(problems.join("\n"), /clewline: WebAssembly is forbidden here; script-src needs 'wasm-unsafe-eval'/);
  assert.ok(!requested.includes("/clewline/core-js.mjs"));
});

test("a collector of another origin needs to allow what README.md says, and no less", async () => {
  const allowed = (name) => new RegExp(`\\| \`${name}\` \\| \`([^\`]+)\` \\|`).exec(README)?.[1] ?? assert.fail(`README.md does not name ${name}`);
  assert.match(allowed("Access-Control-Allow-Origin"), /^https:/);
  const headers = { "Access-Control-Allow-Headers": allowed("Access-Control-Allow-Headers") };
  const spans = [];
  const other = await startSite({
    "/v1/traces": (request, _, body) => {
      if (request.method === "POST") spans.push(...decode(body).spans);
      return { body: "", headers: { ...headers, "Access-Control-Allow-Origin": request.headers.origin } };
    },
  });
  const loads = () => spans.filter(({ name }) => name === "documentLoad").length || undefined;
  try {
    const { problems } = await visit("index.html", () => until("the load's span", loads), { to: other });
    assert.deepEqual(problems, []);
    delete headers["Access-Control-Allow-Headers"];
    spans.length = 0;
    const refused = (page) => until("a refused request", () => page.problems.find((problem) => /CORS/.test(problem)));
    await visit("index.html", refused, { to: other });
    assert.equal(loads(), undefined);
  } finally {
    await other.end();
  }
});
