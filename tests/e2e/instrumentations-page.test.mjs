/** What a page in a real Chromium tells of itself: its load, gestures, changes of route, vitals, errors, visibility and session. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { painted } from "./support/browser.mjs";
import { delivered, duration, startInstrumented } from "./support/instrumented.mjs";
import { until } from "./support/viewer.mjs";

const SERVER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const VITALS = readFileSync(fileURLToPath(new URL("web-vitals.js", import.meta.resolve("web-vitals"))));

let all;

before(async () => {
  all = await startInstrumented(
    {
      "/style.css": "body {}",
      "/web-vitals.js": { body: VITALS, type: "text/javascript" },
      "/api/data": { body: "{}", type: "application/json" },
      "/picture.svg": { body: '<svg xmlns="http://www.w3.org/2000/svg"/>', type: "image/svg+xml" },
      "/never.png": () => null,
      "/elsewhere": { body: '<!doctype html><link rel="icon" href="data:,"><title>Elsewhere</title>' },
      "/worker.mjs": () => ({
        body: `import { init } from "/clewline/index.mjs"; import { traceErrors } from "/clewline/errors.mjs"; import { traceFetch } from "/clewline/fetch.mjs"; import { traceWeb } from "/clewline/web.mjs";
          init({ serviceName: "worker", endpoint: "${all.collector.url}", flushInterval: 20, instrumentations: [traceErrors(), traceFetch(), traceWeb()] });
          await fetch("/api/data");
          throw new RangeError("in a worker");`,
        type: "text/javascript",
      }),
    },
    { "/broken.js": { body: 'throw new Error("secret of another origin");', type: "text/javascript" } },
  );
});

after(() => all?.end());

const named = (name) => all.spans().filter((span) => span.name === name);
/** The requests of a load by their paths; "/" is the document. */
const paths = (spans) => spans.map((span) => new URL(span.attributes["url.full"]).pathname);

test("a page's load: document and resources as children with their phases, linked to the server's span", async () => {
  const links = [
    ["Server-Timing", { headers: { "server-timing": `cache;dur=1, traceparent;desc="${SERVER}"` } }],
    ["a meta element", { head: `<meta name="traceparent" content="${SERVER}">` }],
  ];
  for (const [by, { headers, head = "" }] of links) {
    const page = await all.open({
      path: "/?user=secret#part",
      use: "traceDocumentLoad()",
      headers,
      head: `${head}<link rel="stylesheet" href="/style.css?v=secret">`,
      body: '<img src="/missing.png"><img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">',
      tolerate: /404/,
    });
    const [load] = await all.exactly("documentLoad", 1);
    assert.deepEqual([load.traceId, load.parentSpanId], [SERVER.slice(3, 35), SERVER.slice(36, 52)], by);
    assert.equal(load.attributes["url.full"], `${all.site.url}/`);
    assert.equal(load.attributes["browser.navigation.type"], "navigate");
    const events = load.events.map(({ name }) => name);
    for (const name of ["domInteractive", "domContentLoadedEventStart", "domComplete", "loadEventStart", "loadEventEnd"]) assert.ok(events.includes(name), `${name} in ${events}`);
    assert.ok(load.events.every(({ time }, index) => index === 0 || time >= load.events[index - 1].time), "in order");

    const [document] = await all.exactly("documentFetch", 1);
    assert.deepEqual([document.parentSpanId, document.kind, document.traceId], [load.spanId, 3, load.traceId]);
    assert.deepEqual(document.attributes["http.response.status_code"], { int: 200 });
    assert.equal(document.attributes["server.address"], "127.0.0.1");
    assert.deepEqual(document.attributes["server.port"], { int: +new URL(all.site.url).port });
    assert.ok(document.events.some(({ name }) => name === "responseEnd"));
    assert.ok(load.start <= document.start && document.end <= load.end && load.end > load.start);

    const resources = named("resourceFetch");
    assert.ok(resources.every((span) => span.parentSpanId === load.spanId && span.end >= span.start && span.attributes["http.request.method"] === "GET"));
    const style = resources.find((span) => span.attributes["url.full"] === `${all.site.url}/style.css`);
    assert.equal(style.attributes["browser.resource_timing.initiator_type"], "link");
    const missing = resources.find((span) => span.attributes["url.full"] === `${all.site.url}/missing.png`);
    assert.deepEqual([missing.attributes["error.type"], missing.status.code], ["404", 2]);
    assert.ok(paths(resources).includes("/clewline/document-load.mjs"));
    assert.ok(!all.collector.requests.some(({ bytes }) => bytes.includes("secret") || bytes.includes("R0lGOD")));
    await page.finish();
  }
});

test("a server's traceparent that breaks a rule begins a new trace", async () => {
  const page = await all.open({ use: "traceDocumentLoad()", head: '<meta name="traceparent" content="00-0-0-01">' });
  const [load] = await all.exactly("documentLoad", 1);
  assert.equal(load.parentSpanId, "");
  assert.equal((await page.evaluate(() => tracer.stats())).malformedParents, 1);
  await page.finish();
});

test("more resources than the browser's own list holds", async () => {
  const images = Array.from({ length: 300 }, (_, index) => `<img src="/picture.svg?${index}">`).join("");
  const page = await all.open({ use: "traceDocumentLoad()", body: images });
  // They are more than one request holds.
  const [load] = await all.exactly("documentLoad", 1);
  const pictures = paths(named("resourceFetch")).filter((path) => path === "/picture.svg").length;
  // What came before our script is in a list of 250, which says how many it had to leave out.
  assert.equal(pictures + (load.attributes["browser.resource_timing.dropped"]?.int ?? 0) >= 300, true, `${pictures} pictures`);
  await page.finish();
});

test("the load is the parent of what happens in it, and of nothing later, sampled or not, whatever else is active", async () => {
  for (const sampleRatio of [1, 0]) {
    const page = await all.open({
      use: "traceDocumentLoad(), traceFetch(), traceInteraction()",
      options: `{ sampleRatio: ${sampleRatio} }`,
      // A gesture that is under way when the load is over.
      body: `<button id="buy">Buy</button><script>
        addEventListener("load", () => setTimeout(() => {
          buy.click();
          window.clicked = true;
        }));
      </script>`,
    });
    // Nothing is active afterwards, sooner or later.
    await page.waitForFunction(() => window.clicked && tracer.activeSpan() === undefined);
    await page.finish();
  }
});

test("a page that is left while it loads tells of its load as well", async () => {
  const page = await all.open({ path: "/elsewhere", use: "traceDocumentLoad()", body: '<img src="/never.png">' });
  await page.goto(`${all.site.url}/`, { waitUntil: "commit" });
  await page.goto(`${all.site.url}/elsewhere`);
  const [load] = await all.exactly("documentLoad", 1);
  assert.ok(load.end > load.start && !load.events.some(({ name }) => name === "loadEventEnd"));
  await page.finish();
});

test("one span for each gesture: nested listeners, a label's click, submission, keys, components, several events of one press", async () => {
  const body = `
    <div role="group" onclick="void 0"><button id="buy"><b>Buy</b></button></div>
    <label id="label"><input type="checkbox" id="box">Gift</label>
    <form id="order"><input name="id" id="name"><button id="send">Send</button></form>
    <p id="text">Nothing</p><my-part id="part"></my-part>`;
  for (const [options, press] of [["", "click"], ["{ events: ['pointerdown', 'mousedown', 'pointerup', 'click', 'submit'] }", "pointerdown"]]) {
    const page = await all.open({ use: `traceInteraction(${options}), traceFetch()`, body });
    await page.evaluate(() => {
      customElements.define("my-part", class extends HTMLElement {
        connectedCallback() {
          this.attachShadow({ mode: "open" }).innerHTML = '<button data-testid="inner">Inner</button>';
        }
      });
      for (const element of [window, document, document.body, buy, buy.firstChild]) element.addEventListener("click", () => void 0);
      buy.addEventListener("click", () => void fetch("/api/data"));
      buy.addEventListener("click", async () => {
        await undefined;
        document.getElementById("box").click();
      });
      order.addEventListener("submit", (event) => {
        event.preventDefault();
        event.stopImmediatePropagation();
        void fetch("/api/data");
      });
    });
    await page.click("#buy b");
    await page.click("#text");
    await page.click("#label", { position: { x: 24, y: 8 } });
    await page.click("#send");
    await page.click("#part");
    await all.exactly(press, 4);
    const requests = await all.exactly("GET", 2);
    const gestures = all.spans().filter((span) => span.name !== "GET");
    assert.deepEqual(gestures.map((span) => [span.name, span.attributes["ui.element"]]), [
      [press, "button#buy"],
      [press, "label#label"],
      [press, "button#send"],
      [press, "button[data-testid=inner]"],
    ]);
    assert.ok(gestures.every((span) => span.parentSpanId === "" && span.attributes["ui.trusted"] === true && span.attributes["url.path"] === "/"));
    // Sorted, because the answers come in any order.
    const parents = requests.map((span) => gestures.find(({ spanId }) => spanId === span.parentSpanId)?.attributes["ui.element"]);
    assert.deepEqual(parents.sort(), ["button#buy", "button#send"]);
    if (press === "click") {
      await page.press("#name", "Enter");
      await all.exactly("click", 5);
      assert.deepEqual(all.spans().filter(({ name }) => name === "submit").length, 0, "the browser clicks the form's button");
    }
    assert.equal((await page.evaluate(() => tracer.activeSpan())), undefined);
    await page.finish();
  }
});

test("two presses of one button are two gestures", async () => {
  const page = await all.open({ use: "traceInteraction({ events: ['pointerdown', 'click'] })", body: '<button id="buy">Buy</button>' });
  await page.dblclick("#buy");
  await all.exactly("pointerdown", 2);
  assert.equal(named("click").length, 0);
  await page.finish();
});

test("options that are wrong are said at once, and nothing is started", async () => {
  const page = await all.open();
  const [errors, isNative] = await page.evaluate(async () => {
    await tracer.shutdown();
    const native = fetch;
    const { traceWeb } = await import("/clewline/web.mjs");
    const errors = [{ selector: "button[" }, { most: -1 }].map((options) => {
      try {
        traceWeb(options);
      } catch ({ name }) {
        return name;
      }
    });
    return [errors, fetch === native];
  });
  assert.deepEqual(errors, ["SyntaxError", "TypeError"]);
  assert.ok(isNative);
  await page.finish();
});

const WITHOUT_API = "Object.defineProperty(window, 'navigation', { value: undefined });";

for (const [how, first] of [["the Navigation API", undefined], ["the History API", WITHOUT_API]]) {
  test(`changes of route by ${how}: once each, the parent of what they start, and no state, hash or query`, async () => {
    const page = await all.open({ use: "traceNavigation(), traceFetch(), traceInteraction()", first, body: '<a id="link" href="/cart">Cart</a>' });
    await page.evaluate(async () => {
      const rest = (time = 50) => new Promise((resolve) => setTimeout(resolve, time));
      history.pushState({}, "", "/cart?user=secret");
      await fetch("/api/data");
      await rest();
      history.replaceState({}, "", "/checkout");
      await rest();
      // What routers and other scripts do all the time, and is no change of route.
      history.replaceState({ scroll: 1 }, "");
      history.pushState({}, "", "/checkout?page=2");
      location.hash = "part";
      await rest();
      await new Promise((resolve) => {
        addEventListener("popstate", () => resolve(void fetch("/api/data")), { once: true });
        history.go(-3);
      });
      await rest();
      link.addEventListener("click", (event) => {
        event.preventDefault();
        history.pushState({}, "", link.href);
      });
    });
    await page.click("#link");
    const spans = await all.exactly("navigation", 4);
    assert.deepEqual(spans.map((span) => [span.attributes["browser.navigation.type"], span.attributes["url.path"]]), [
      ["push", "/cart"],
      ["replace", "/checkout"],
      ["traverse", "/"],
      ["push", "/cart"],
    ]);
    const [click] = await all.exactly("click", 1);
    assert.deepEqual(spans.map((span) => span.parentSpanId), ["", "", "", click.spanId]);
    const requests = await all.exactly("GET", 2);
    assert.deepEqual(requests.map((span) => span.parentSpanId), [spans[0].spanId, spans[2].spanId]);
    assert.ok(!all.collector.requests.some(({ bytes }) => bytes.includes("secret")));
    assert.equal(await page.evaluate(() => tracer.activeSpan()), undefined);
    assert.equal((await page.evaluate(() => tracer.stats())).live, 0);
    await page.finish();
  });

  test(`routes that are named by the page, by ${how}`, async () => {
    const route = "{ route: (url) => (url.hash ? url.hash.slice(1).replace(/\\d+/g, ':id') : 'home') }";
    const page = await all.open({ use: `traceNavigation(${route})`, first });
    await page.evaluate(async () => {
      const rest = () => new Promise((resolve) => setTimeout(resolve, 60));
      for (const hash of ["/items/17", "/items/18", "/cart"]) {
        location.hash = hash;
        await rest();
      }
      await new Promise((resolve) => {
        addEventListener("popstate", resolve, { once: true });
        history.back();
      });
      await rest();
    });
    const spans = await all.exactly("navigation", 3);
    assert.deepEqual(spans.map((span) => span.attributes["url.template"]), ["/items/:id", "/cart", "/items/:id"]);
    await page.finish();
  });
}

test("a route that the page takes time for, one that fails, and one that another overtakes", async () => {
  const page = await all.open({ use: "traceNavigation()" });
  await page.evaluate(async () => {
    const rest = (time) => new Promise((resolve) => setTimeout(resolve, time));
    navigation.addEventListener("navigate", (event) => {
      const { pathname } = new URL(event.destination.url);
      event.intercept({
        handler: async () => {
          if (pathname === "/broken") throw new RangeError("no such page");
          await rest(pathname === "/slow" ? 120 : 0);
        },
      });
    });
    await navigation.navigate("/slow").finished;
    await navigation.navigate("/broken").finished.catch(() => {});
    const overtaken = navigation.navigate("/slow").finished.catch(() => {});
    await navigation.navigate("/last").finished;
    await overtaken;
    await rest(50);
  });
  const spans = await all.exactly("navigation", 4);
  assert.deepEqual(spans.map((span) => [span.attributes["url.path"], span.attributes["error.type"], span.status.code]), [
    ["/slow", undefined, 0],
    ["/broken", "RangeError", 2],
    ["/slow", undefined, 0],
    ["/last", undefined, 0],
  ]);
  assert.ok(duration(spans[0]) >= 110, `${duration(spans[0])} ms`);
  assert.equal(spans[1].events[0].attributes["exception.message"], "no such page");
  await page.finish();
});

test("web vitals by the package of that name, when the page is left at the latest", async () => {
  const BUSY = `<h1>Shop</h1><button id="buy">Buy</button><script>buy.onclick = () => { const end = performance.now() + 60; while (performance.now() < end); }</script>`;
  const measure = (page, options) => page.evaluate(async (options) => {
    await tracer.shutdown();
    const vitals = await import("/web-vitals.js");
    const { traceWebVitals } = await import("/clewline/web-vitals.mjs");
    start([traceWebVitals(vitals, options), traceWebVitals(vitals, options)]);
  }, options);
  const check = (vital, name) => {
    const { "browser.web_vital.value": value, "browser.web_vital.delta": delta, "browser.web_vital.id": id, ...attributes } = vital.attributes;
    assert.equal(attributes["browser.web_vital.name"], name);
    for (const number of [value, delta]) assert.equal(typeof (number?.int ?? number), "number");
    assert.match(id, /^v\d+-/);
    assert.match(attributes["browser.web_vital.rating"], /^(good|needs-improvement|poor)$/);
    assert.equal(attributes["browser.web_vital.navigation_type"], "navigate");
    assert.deepEqual([vital.start, vital.parentSpanId, attributes["url.path"]], [vital.end, "", "/"]);
  };
  const page = await all.open({ body: BUSY });
  await measure(page);
  await painted(page);
  await page.click("#buy");
  // Leaving makes some of them final; the browser has told of these before.
  for (const name of ["ttfb", "fcp"]) await all.exactly(`browser.web_vital ${name}`, 1, 0);
  await page.goto(`${all.site.url}/elsewhere`);
  for (const name of ["ttfb", "fcp", "lcp", "cls"]) check((await all.exactly(`browser.web_vital ${name}`, 1))[0], name);
  await page.finish();

  const other = await all.open({ body: BUSY });
  await measure(other, { reportAllChanges: true });
  await other.click("#buy");
  check(await until("an interaction's", () => named("browser.web_vital inp")[0]), "inp");
  await other.finish();
});

test("a frame that kept the page from answering, and a task where there are no frames", async () => {
  const withoutFrames = `{
    const types = PerformanceObserver.supportedEntryTypes.filter((type) => type !== "long-animation-frame");
    Object.defineProperty(PerformanceObserver, "supportedEntryTypes", { get: () => types });
  }`;
  const BUSY = `<button id="buy">Buy</button><script>
    function spin(time) { const end = performance.now() + time; while (performance.now() < end); }
    setTimeout(spin, 0, 60);
    buy.onclick = function keepBusy() { spin(150); };
  </script>`;
  for (const [name, first] of [["long-animation-frame", undefined], ["longtask", withoutFrames]]) {
    const page = await all.open({ use: "traceLongTasks({ least: 100 }), traceLongTasks()", first, body: BUSY });
    await page.click("#buy");
    // Loading the page may have taken long as well, and says so in a span of its own.
    const byClick = (span) => name === "longtask" || span.attributes["task.invoker"] === "BUTTON#buy.onclick";
    const span = await until("a long one", () => named(name).find((span) => duration(span) >= 140 && byClick(span)));
    assert.ok(named(name).every((span) => duration(span) >= 100 && span.parentSpanId === ""));
    assert.equal(new Set(named(name).map(({ start }) => start)).size, named(name).length, "each once");
    if (name === "long-animation-frame") assert.match(span.attributes["code.function.name"], /keepBusy$/);
    await page.finish();
  }
});

test("errors that nobody caught: type, message, stack and place, each once, whatever was thrown", async () => {
  const page = await all.open({ use: "traceErrors(), traceErrors()", tolerate: /./, body: `<script src="${all.stranger.url}/broken.js?secret"></script><img src="/missing.png">` });
  await page.evaluate(async (address) => {
    const later = (value) => setTimeout(() => { throw value; });
    const error = new RangeError("too far");
    later(error);
    later(error);
    setTimeout(() => void Promise.reject(error));
    later("just text");
    later(undefined);
    later(Object.create(null));
    later({ get message() { throw new Error("unreadable"); } });
    void Promise.reject(new TypeError("not handled"));
    void Promise.reject();
    void Promise.reject(Symbol("sign"));
    const handled = Promise.reject(new Error("handled"));
    handled.catch(() => {});
    dispatchEvent(new CustomEvent("error", { detail: 1 }));
    const script = document.createElement("script");
    script.src = address;
    await new Promise((resolve) => {
      script.onload = resolve;
      document.body.append(script);
    });
  }, `${all.stranger.url}/broken.js?secret`);
  const uncaught = await all.exactly("uncaught exception", 6);
  const range = uncaught.find((span) => span.attributes["error.type"] === "RangeError");
  assert.deepEqual(range.status, { code: 2, message: "too far" });
  const [event] = range.events;
  assert.equal(event.name, "exception");
  assert.deepEqual([event.attributes["exception.type"], event.attributes["exception.message"]], ["RangeError", "too far"]);
  assert.match(event.attributes["exception.stacktrace"], /^RangeError: too far\n +at /);
  assert.ok(range.attributes["code.line.number"].int > 0);
  const foreign = uncaught.filter((span) => span.events[0].attributes["exception.message"] === "Script error.");
  assert.equal(foreign.length, 1);
  assert.deepEqual(foreign[0].attributes, { "error.type": "_OTHER", "url.path": "/" });
  assert.deepEqual(uncaught.map((span) => span.events[0].attributes["exception.message"]).sort(), ["Script error.", "Uncaught undefined", "just text", "object", "object", "too far"]);
  const rejections = await all.exactly("unhandled rejection", 3);
  assert.deepEqual(rejections.map((span) => span.events[0].attributes["exception.message"]), ["not handled", "undefined", "Symbol(sign)"]);
  assert.ok(!all.collector.requests.some(({ bytes }) => bytes.includes("secret")));
  await page.finish();
});

test("a page that fails in a loop is not told of for ever", async () => {
  const page = await all.open({ use: "traceErrors({ mostErrors: 3 })", tolerate: /again/ });
  await page.evaluate(async () => {
    for (let index = 0; index < 10; index++) setTimeout(() => { throw new Error(`again ${index}`); });
    await new Promise((resolve) => setTimeout(resolve, 100));
  });
  await all.exactly("uncaught exception", 3);
  await page.finish();
});

test("a worker has requests and errors too, and nothing of a page", async () => {
  const page = await all.open({ tolerate: /worker/ });
  await page.evaluate(() => void new Worker("/worker.mjs", { type: "module" }));
  const [error] = await all.exactly("uncaught exception", 1);
  assert.equal(error.events[0].attributes["exception.message"], "in a worker");
  await all.exactly("GET", 1);
  assert.deepEqual([...new Set(all.spans().map(({ name }) => name))].sort(), ["GET", "uncaught exception"]);
  await page.finish();
});

test("visibility: a span for each while in which the page was seen", async () => {
  const page = await all.open({ use: "traceVisibility(), traceVisibility()" });
  await page.evaluate(async () => {
    for (const state of ["hidden", "hidden", "visible", "visible", "hidden"]) {
      Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
      document.dispatchEvent(new Event("visibilitychange", { bubbles: true }));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  });
  // What a hidden page hands over at once comes in any order.
  const [first, second] = (await all.exactly("page visible", 2)).sort((one, other) => (one.start < other.start ? -1 : 1));
  assert.ok(second.start > first.end && first.parentSpanId === "" && second.parentSpanId === "");
  await page.finish();

  const left = await all.open({ use: "traceVisibility()" });
  await left.goto(`${all.site.url}/elsewhere`);
  await all.exactly("page visible", 1);
  await left.finish();
});

test("a session outlives reloads and ends after a pause, on the resource and on each span", async () => {
  const profile = await all.profile();
  const options = "{ resource: { ...session(), ...browser() } }";
  const resource = async () => {
    const { decode } = await import("../../wasm/tests/js/support.mjs");
    return decode(all.collector.requests.at(-1).bytes).resource;
  };
  const page = await all.open({ context: profile, use: "traceSession(), traceSession(), traceDocumentLoad()", options });
  await page.evaluate(() => tracer.startSpan("first").end());
  const [first] = await all.exactly("first", 1);
  const id = first.attributes["session.id"];
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.equal((await all.exactly("documentLoad", 1))[0].attributes["session.id"], id);
  const told = await resource();
  assert.equal(told["session.id"], id);
  const [userAgent, language, brands] = await page.evaluate(() => [navigator.userAgent, navigator.language, navigator.userAgentData?.brands.map(({ brand, version }) => `${brand} ${version}`)]);
  assert.deepEqual([told["user_agent.original"], told["browser.language"], told["browser.brands"]], [userAgent, language, brands]);
  assert.deepEqual([typeof told["browser.platform"], told["browser.mobile"]], brands ? ["string", false] : ["undefined", undefined]);

  await page.reload();
  await page.evaluate(() => tracer.startSpan("reloaded", { attributes: { "session.id": "mine" } }).end());
  await page.evaluate(() => tracer.startSpan("after").end());
  assert.equal((await all.exactly("reloaded", 1))[0].attributes["session.id"], "mine", "what the program sets, stays");
  assert.equal((await all.exactly("after", 1))[0].attributes["session.id"], id);
  assert.equal(named("session.start").length, 0, "it goes on");

  // Another tab is the same session; half an hour later, in a page that stayed open, it is another.
  const tab = await all.open({ context: profile, use: "traceSession()", options });
  await tab.evaluate(() => tracer.startSpan("tab").end());
  assert.equal((await all.exactly("tab", 1))[0].attributes["session.id"], id);
  await tab.evaluate(() => {
    const { now } = Date;
    Date.now = () => now() + 31 * 60_000;
    tracer.startSpan("later").end();
    tracer.startSpan("later").end();
  });
  const later = (await all.exactly("later", 2)).map((span) => span.attributes["session.id"]);
  assert.equal(later[0], later[1]);
  assert.notEqual(later[0], id);
  const [begun] = await all.exactly("session.start", 1);
  assert.deepEqual(begun.attributes, { "session.id": later[0], "session.previous_id": id });
  await tab.close();
  await page.finish();
});

test("a browser that keeps nothing has a session for each page", async () => {
  const first = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });";
  const page = await all.open({ use: "traceSession()", first });
  await page.evaluate(() => (tracer.startSpan("one").end(), tracer.startSpan("two").end()));
  const [one] = await all.exactly("one", 1);
  const [two] = await all.exactly("two", 1);
  assert.match(one.attributes["session.id"], /^[0-9a-f]{32}$/);
  assert.equal(one.attributes["session.id"], two.attributes["session.id"]);
  assert.deepEqual(named("session.start")[0].attributes, { "session.id": one.attributes["session.id"] });
  await page.finish();
});

test("stopped they tell nothing more, and started again they tell each thing once", async () => {
  const use = "traceWeb(), traceInteraction(), traceNavigation(), traceErrors(), traceVisibility(), traceSession()";
  const page = await all.open({ use, body: '<button id="buy">Buy</button>', tolerate: /again/ });
  await all.exactly("documentLoad", 1);
  const act = async () => {
    await page.click("#buy");
    await page.evaluate(async () => {
      history.pushState({}, "", `/cart/${Math.random()}`);
      setTimeout(() => { throw new Error(`again ${Math.random()}`); });
      await new Promise((resolve) => setTimeout(resolve, 50));
    });
  };
  const counts = () => ["click", "navigation", "uncaught exception", "page visible", "session.start", "documentLoad"].map((name) => named(name).length);
  await page.evaluate(() => tracer.shutdown());
  await act();
  await delivered(page);
  assert.deepEqual(counts(), [0, 0, 0, 1, 1, 1]);
  await page.evaluate(`start([${use.replace(/trace\w+/g, "entries.$&")}])`);
  await act();
  await page.evaluate(() => tracer.shutdown());
  await all.exactly("page visible", 2);
  assert.deepEqual(counts(), [1, 1, 1, 2, 1, 1]);
  await page.finish();
});
