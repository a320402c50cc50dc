/** Requests of every odd kind in a real Chromium, each made twice: with what the page had before, and instrumented. Nobody may tell them apart. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { openPage } from "./support/browser.mjs";
import { startInstrumented } from "./support/instrumented.mjs";
import { page as document } from "./support/site.mjs";

/** What the page keeps of itself before it is instrumented. */
const FIRST = `window.native = { fetch: window.fetch, XMLHttpRequest: window.XMLHttpRequest };
  window.methods = Object.fromEntries(["open", "send", "setRequestHeader"].map((name) => [name, XMLHttpRequest.prototype[name]]));`;
/** For a machine that is busy with other things. */
const PATIENT = { timeout: 120_000 };
const BASE = '<base href="/base/">';
/** What a server is told of a request, but for what is different by design or by chance. */
const TOLD = /^(accept|content-(length|type)|origin|referer|sec-fetch-(dest|mode|site)|x-own|cache-control|pragma)$/;

const echo = (request, _, body) => {
  const told = Object.entries(request.headers).filter(([name]) => TOLD.test(name));
  const headers = Object.fromEntries(told.map(([name, value]) => [name, value.replace(/boundary=.*/, "boundary")]));
  const text = String(body).replaceAll(/----\w+/g, "----");
  return { body: JSON.stringify({ method: request.method, url: request.url, headers, body: text }), type: "application/json" };
};

/** What a service worker that hands on all requests is registered for. */
const SERVED = {
  "/worker.js": (request) => ({
    body: `${request.url.endsWith("?traced") ? TRACED : ""}
      addEventListener("install", () => skipWaiting());
      addEventListener("activate", (event) => event.waitUntil(clients.claim()));
      addEventListener("fetch", (event) => event.respondWith(fetch(event.request)));`,
    type: "text/javascript",
  }),
  "/register": (request) =>
    document(`await navigator.serviceWorker.register("/worker.js${new URL(request.url, "http://site").search}", { type: "module" });
      if (!navigator.serviceWorker.controller) await new Promise((resolve) => (navigator.serviceWorker.oncontrollerchange = resolve));`),
  "/moved": { status: 302, headers: { location: "/served" }, body: "" },
  "/served": document('await fetch("/echo", { method: "POST", body: "x" });', '<link rel="stylesheet" href="/style.css">', '<img src="/picture.png">'),
  "/style.css": "",
  "/picture.png": "",
};
const PASSED_ON = ["/moved", "/served", "/style.css", "/picture.png", "/echo"];
const TRACED = `import { init } from "/clewline/index.mjs"; import { traceFetch } from "/clewline/fetch.mjs";
  self.tracer = init({ serviceName: "worker", endpoint: "/none", instrumentations: [traceFetch()] });`;

let all;

before(async () => {
  const cors = { "access-control-allow-origin": "*", "access-control-allow-headers": "traceparent, x-own", "access-control-allow-methods": "PATCH" };
  all = await startInstrumented(
    {
      "/echo": echo,
      "/base/echo": echo,
      "/redirect": { status: 307, headers: { location: "/echo?redirected" }, body: "" },
      "/away": () => ({ status: 302, headers: { location: `${all.stranger.url}/echo?away` }, body: "" }),
      "/missing": { status: 404, body: "missing" },
      "/never": () => null,
      ...SERVED,
    },
    { "/echo": (...args) => ({ ...echo(...args), headers: cors }) },
  );
});

after(() => all?.end());

/** Makes one request in the page by the `fetch` there and by ours, and answers what came of both. */
const both = (page, table) =>
  page.evaluate(
    async ([table, elsewhere]) => {
      const outcome = async (fetch, work) => {
        try {
          const answer = await work(fetch, elsewhere);
          if (!(answer instanceof Response)) return answer;
          const { type, status, redirected, url } = answer;
          return { type, status, redirected, url, text: await answer.text() };
        } catch (error) {
          return { failed: String(error), name: error?.name, is: error instanceof Error };
        }
      };
      const found = [];
      for (const code of table) {
        const work = new Function("fetch", "elsewhere", `"use strict"; return ${code};`);
        found.push([code, await outcome(native.fetch, work), await outcome(window.fetch, work)]);
      }
      return found;
    },
    [table, all.stranger.url],
  );

const ADDRESSES = [
  'fetch("echo")',
  'fetch("/echo?a=1#b")',
  'fetch("?query")',
  'fetch(new URL("/echo", location.href))',
  "fetch(location)",
  'fetch({ toString: () => "/echo" })',
  'fetch({ headers: {}, url: "/elsewhere", toString: () => "/echo" })',
  'fetch(["/echo"])',
  "fetch(undefined)",
  "fetch(null)",
  "fetch(5)",
  'fetch(Symbol("s"))',
  "fetch({ toString() { throw new RangeError('no address'); } })",
  "fetch({ get headers() { throw new RangeError('no headers'); }, toString: () => '/echo' })",
  'fetch("")',
  'fetch("http://")',
  'fetch("https://user:secret@127.0.0.1/")',
  'fetch("data:text/plain,hello")',
  'fetch(URL.createObjectURL(new Blob(["blob"]))).then((answer) => answer.text())',
  'fetch("blob:nothing")',
  'fetch("about:blank")',
  'fetch("javascript:1")',
  "fetch(`${elsewhere}/echo`)",
  'fetch(`${elsewhere}/echo`, { mode: "no-cors" })',
  'fetch(new Request(`${elsewhere}/echo`, { mode: "no-cors" }))',
  'fetch(`${elsewhere}/echo`, { mode: "same-origin" })',
];

const OPTIONS = [
  'fetch("/echo", undefined)',
  'fetch("/echo", null)',
  'fetch("/echo", {})',
  'fetch("/echo", 5)',
  'fetch("/echo", "text")',
  'fetch("/echo", () => {})',
  'fetch("/echo", Object.assign(() => {}, { method: "PUT" }))',
  'fetch("/echo", Object.create({ method: "PUT", body: "inherited", headers: { "x-own": "inherited" } }))',
  'fetch("/echo", Object.assign(Object.create(null), { method: "PUT", headers: { "x-own": "bare" } }))',
  'fetch("/echo", new (class { get method() { return "PUT"; } #headers = { "x-own": "class" }; get headers() { return this.#headers; } })())',
  'fetch("/echo", new Proxy({ method: "PUT" }, {}))',
  'fetch("/echo", { get method() { throw new RangeError("no method"); } })',
  'fetch("/echo", { method: "put" })',
  'fetch("/echo", { method: "patch", body: "x" })',
  'fetch("/echo", { method: "TRACE" })',
  'fetch("/echo", { method: "a b" })',
  'fetch("/echo", { method: "GET", body: "x" })',
  'fetch("/echo", { headers: { "bad name": "x" } })',
  'fetch("/echo", { headers: null })',
  'fetch("/echo", { headers: undefined })',
  'fetch("/echo", { headers: new Map([["x-own", "map"]]) })',
  'fetch("/echo", { headers: new Map([["x-own", "once"]]).entries() })',
  'fetch("/echo", { headers: (function* () { yield ["x-own", "generated"]; })() })',
  'fetch("/echo", { headers: [["x-own", "1"], ["x-own", "2"]] })',
  'fetch(`${elsewhere}/echo`, { headers: new Map([["x-own", "once"]]).entries() })',
  'fetch("/echo", { headers: new Headers({ "x-own": "headers" }) })',
  'fetch("/echo", { headers: { next: "is a header too", "x-own": "1" } })',
  'fetch("/echo", { method: "POST", body: new URLSearchParams({ a: "1" }) })',
  'fetch("/echo", { method: "POST", body: Object.entries({ a: "1" }).reduce((form, [name, value]) => (form.append(name, value), form), new FormData()) })',
  'fetch("/echo", { method: "POST", body: new Blob(["blob"], { type: "text/x-own" }) })',
  'fetch("/echo", { method: "POST", body: new Uint8Array([97, 98]) })',
  'fetch("/echo", { method: "POST", body: new Blob(["x"]).stream() })',
  'fetch("/echo", { method: "POST", body: new Blob(["x"]).stream(), duplex: "half" })',
  'fetch("/echo", { method: "POST", body: "kept", keepalive: true })',
  'fetch("/echo", { method: "POST", body: "x".repeat(70000), keepalive: true })',
  'fetch("/echo", { mode: "navigate" })',
  'fetch("/echo", { cache: "only-if-cached" })',
  'fetch("/echo", { cache: "no-store", credentials: "omit", priority: "low" })',
  'fetch("/echo", { referrer: "/from", referrerPolicy: "unsafe-url" })',
  'fetch("/echo", { referrer: "" })',
  'fetch("/echo", { integrity: "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" })',
  'fetch("/echo", { window: 5 })',
];

const REQUESTS = [
  'fetch(new Request("echo", { method: "POST", body: "once", headers: { "x-own": "1" } }))',
  'fetch(new Request("/echo", { method: "POST", body: "once" }), { headers: { "x-own": "2" } })',
  'fetch(new Request("/echo", { method: "POST", body: "once" }), { method: "PUT", body: "twice" })',
  'fetch("/echo?init", new Request("/echo", { method: "PUT", headers: { "x-own": "3" } }))',
  'fetch(new (class extends Request { get url() { return "/elsewhere"; } get method() { return "PUT"; } })("/echo", { method: "POST", body: "sub" }))',
  'fetch(new Request("/echo", { referrer: "/from", referrerPolicy: "unsafe-url", cache: "no-cache", redirect: "error" }))',
  '(async () => { const request = new Request("/echo", { method: "POST", body: "x" }); await fetch(request); return request.bodyUsed; })()',
  '(async () => { const request = new Request("/echo", { method: "POST", body: "x" }); await request.text(); return fetch(request); })()',
  '(async () => { const request = new Request("/echo", { headers: { "x-own": "1" } }); await fetch(request); return [...request.headers]; })()',
  '(async () => { const init = { headers: { "x-own": "1" } }; await fetch("/echo", init); return JSON.stringify(init); })()',
  'fetch(new Request("/redirect", { method: "POST", body: "again" }))',
  'fetch("/redirect", { redirect: "manual" })',
  'fetch("/redirect", { redirect: "error" })',
  'fetch("/away")',
  'fetch("/missing")',
  'fetch("http://127.0.0.1:1/")',
];

const ABORTS = [
  'fetch("/never", { signal: AbortSignal.abort() })',
  'fetch("/never", { signal: AbortSignal.abort("left") })',
  'fetch("/never", { signal: AbortSignal.abort(null) })',
  'fetch("/never", { signal: AbortSignal.abort(Object.create(null)) }).catch(() => "bare")',
  'fetch("/never", { signal: AbortSignal.abort({ get name() { throw new Error("no name"); } }) }).catch((reason) => typeof reason)',
  'fetch("/never", { signal: AbortSignal.timeout(1) })',
  'fetch(new Request("/never", { signal: AbortSignal.timeout(1) }))',
  '(async () => { const control = new AbortController(); const answer = fetch("/never", { signal: control.signal }); control.abort(); return answer; })()',
  '(async () => { const control = new AbortController(); const answer = fetch(new Request("/never", { signal: control.signal })); control.abort("mine"); return answer; })()',
  'fetch("/never", { signal: {} })',
];

const SHAPES = [
  "[fetch.name, fetch.length, /native code/.test(fetch), typeof fetch, Object.getOwnPropertyNames(fetch)]",
  "Object.prototype.toString.call(fetch)",
  'fetch("/echo") instanceof Promise',
  'fetch.call(undefined, "/echo")',
  'fetch.call(window, "/echo")',
  'fetch.call({}, "/echo")',
  'fetch.bind(null, "/echo")()',
  "new fetch('/echo')",
  '[fetch("/echo")].length',
];

for (const [what, table] of Object.entries({ ADDRESSES, OPTIONS, REQUESTS, ABORTS, SHAPES })) {
  for (const use of ["traceFetch()", "traceWeb({ propagateTo: () => true })"]) {
    test(`fetch is what it was, ${what.toLowerCase()}, with ${use}`, async () => {
      const page = await all.open({ use, head: BASE, first: FIRST, tolerate: /./ });
      const outcomes = await both(page, table);
      assert.deepEqual(outcomes.map(([code, , found]) => [code, found]), outcomes.map(([code, expected]) => [code, expected]));
      // All of them end, whatever comes of them.
      if (use === "traceFetch()") await page.waitForFunction(() => tracer.stats().live === 0, undefined, PATIENT);
      await page.finish();
    });
  }
}

/** What a request told while it lasted: its events with its state, and what it was in the end. */
const XHR = `async (work) => {
  const told = [];
  const request = new XMLHttpRequest();
  for (const type of ["readystatechange", "loadstart", "load", "error", "abort", "timeout", "loadend"]) {
    request.addEventListener(type, () => {
      const now = type + " " + request.readyState + " " + request.status;
      // A body that takes long says so more than once.
      if (told.at(-1) !== now) told.push(now);
    });
  }
  try {
    const answer = await work(request);
    told.push(answer instanceof Event ? answer.type : answer);
  } catch (error) {
    told.push(String(error));
  }
  return [...told, request.readyState, request.status, request.responseURL.replace(location.origin, ""), request.responseType ? "" : request.responseText];
}`;
/** Waits for the end of the request that was sent last. */
const END = 'await new Promise((resolve) => request.addEventListener("loadend", resolve, { once: true }))';

const REQUESTS_BY_XHR = [
  `request.open("GET", "echo"); request.send(); ${END};`,
  `request.open("get", new URL("/echo", location.href)); request.setRequestHeader("x-own", "1"); request.setRequestHeader("X-Own", "2"); request.send(null); ${END};`,
  `request.open("POST", "/echo"); request.send("text"); ${END};`,
  `request.open("POST", "/echo"); request.send(document.implementation.createHTMLDocument("page")); ${END};`,
  `request.open("POST", "/echo"); request.responseType = "blob"; request.timeout = 600000; request.send(new FormData()); ${END}; return request.response.size > 0;`,
  'request.open("GET", "/echo", false); request.send();',
  'request.open("GET", "http://127.0.0.1:1/", false); request.send();',
  `request.open("GET", "http://127.0.0.1:1/"); request.send(); ${END};`,
  `request.open("GET", elsewhere + "/echo"); request.send(); ${END}; return request.responseURL = "";`,
  `request.open("GET", "/redirect"); request.send(); ${END};`,
  `request.open("GET", "/missing"); request.send(); ${END};`,
  `request.open("GET", "/never"); request.timeout = 1; request.send(); ${END};`,
  'request.open("GET", "/never"); request.send(); request.abort();',
  'request.open("GET", "/never"); request.abort(); return "nothing";',
  'request.abort(); return "nothing";',
  `request.open("GET", "/echo"); request.send(); ${END}; request.abort();`,
  'request.open();',
  'request.open("GET");',
  'request.open("a b", "/echo");',
  'request.open("TRACE", "/echo");',
  'request.open(Symbol("s"), "/echo");',
  'request.open("GET", Symbol("s"));',
  'request.open({ toString() { throw new RangeError("no method"); } }, "/echo");',
  'request.open("GET", { toString() { throw new RangeError("no address"); } });',
  'request.open("GET", "http://");',
  'request.send();',
  'request.setRequestHeader("x-own", "1");',
  'request.open("GET", "/echo"); request.setRequestHeader("x-own");',
  'request.open("GET", "/echo"); request.setRequestHeader("bad name", "1");',
  'request.open("GET", "/echo"); request.setRequestHeader(Symbol("s"), "1");',
  `request.open("GET", "/echo"); request.send(); try { request.send(); } catch ({ name }) { return [name, (${END}).type]; }`,
  // What is refused changes nothing of what is under way.
  `request.open("GET", "/echo"); request.send(); try { request.open("a b", "/missing"); } catch ({ name }) { return [name, (${END}).type]; }`,
  `request.open("GET", "/never"); request.send(); request.open("GET", "/echo"); request.send(); ${END};`,
  `request.open("GET", "/never"); request.open("GET", "/echo"); request.open("PUT", "/echo"); request.send(); ${END};`,
  `request.open("GET", "/echo"); request.send(); ${END}; request.open("PUT", "/echo"); request.send("again"); ${END};`,
  `request.onreadystatechange = () => { if (request.readyState === 1) { request.onreadystatechange = null; request.send(); } }; request.open("GET", "/echo"); ${END};`,
  `request.open("GET", "/echo"); request.addEventListener("load", () => { request.open("PUT", "/echo"); request.send(); }, { once: true }); request.send(); ${END}; ${END};`,
  `request.open("GET", "blob:nothing"); request.send(); ${END};`,
  `request.open("GET", "data:text/plain,hello"); request.send(); ${END};`,
  'request.open("GET", "/echo"); request.send(); return request.dispatchEvent(new Event("loadend"));',
  'XMLHttpRequest.prototype.open.call({}, "GET", "/echo");',
  'XMLHttpRequest.prototype.send.call(undefined);',
  'return ["open", "send", "setRequestHeader"].map((name) => { const method = XMLHttpRequest.prototype[name]; return [method.name, method.length, JSON.stringify(Object.getOwnPropertyDescriptor(XMLHttpRequest.prototype, name))]; });',
];

for (const use of ["traceXhr()", "traceWeb({ propagateTo: () => true })"]) {
  test(`XMLHttpRequest is what it was, with ${use}`, async () => {
    const page = await all.open({ use, head: BASE, first: FIRST, tolerate: /./ });
    const outcomes = await page.evaluate(
      async ([table, told, elsewhere]) => {
        const outcome = new Function(`return ${told}`)();
        const ours = Object.fromEntries(Object.keys(methods).map((name) => [name, XMLHttpRequest.prototype[name]]));
        const found = [];
        for (const code of table) {
          const work = new Function("elsewhere", `return async (request) => { ${code} }`)(elsewhere);
          const both = [];
          for (const set of [methods, ours]) {
            Object.assign(XMLHttpRequest.prototype, set);
            both.push(await outcome(work));
          }
          found.push([code, ...both]);
        }
        return found;
      },
      [REQUESTS_BY_XHR, XHR, all.stranger.url],
    );
    assert.deepEqual(outcomes.map(([code, , found]) => [code, found]), outcomes.map(([code, expected]) => [code, expected]));
    if (use === "traceXhr()") await page.waitForFunction(() => tracer.stats().live === 0, undefined, PATIENT);
    await page.finish();
  });
}

test("the spans of requests by XMLHttpRequest that were opened early, refused, anew, elsewhere", async () => {
  const first = 'window.early = new XMLHttpRequest(); early.open("GET", "/echo?early"); early.setRequestHeader("x-own", "0");';
  const page = await all.open({ use: "traceXhr()", head: BASE, first, tolerate: /./ });
  await page.evaluate(async () => {
    const ended = (request) => new Promise((resolve) => request.addEventListener("loadend", resolve, { once: true }));
    early.setRequestHeader("traceparent", "mine");
    early.send();
    await ended(early);
    const refused = new XMLHttpRequest();
    refused.open("GET", "/echo?refused");
    refused.send();
    try {
      refused.open("a b", "/echo?never");
    } catch {
      await ended(refused);
    }
    const moved = new XMLHttpRequest();
    moved.open("GET", "echo?moved");
    document.querySelector("base").remove();
    moved.send();
    await ended(moved);
  });
  const spans = await all.exactly("GET", 2);
  const outcomes = spans.map(({ attributes }) => [attributes["url.full"], attributes["http.response.status_code"], attributes["error.type"]]);
  assert.deepEqual(outcomes, ["/echo", "/base/echo"].map((path) => [all.site.url + path, { int: 200 }, undefined]));
  assert.equal(all.site.requests.find(({ url }) => url === "/echo?early").headers.traceparent, "mine");
  await page.finish();
});

test("a service worker hands on navigations, files and requests as it would without us", async () => {
  const seen = {};
  for (const search of ["", "?traced"]) {
    const profile = await all.profile();
    const page = await openPage(profile, `${all.site.url}/register${search}`);
    all.site.requests.length = 0;
    await page.goto(`${all.site.url}/moved`, PATIENT);
    const worker = profile.serviceWorkers()[0] ?? (await profile.waitForEvent("serviceworker", PATIENT));
    assert.equal(await worker.evaluate(() => self.tracer?.stats().started ?? 0), search ? 5 : 0);
    // Besides, there are exports, and the browser looks for a newer worker whenever it likes.
    const requests = all.site.requests.filter(({ path }) => PASSED_ON.includes(path));
    const told = requests.map(({ method, path, headers: { traceparent, ...headers } }) => [method, path, headers]);
    seen[search] = told.sort(([, one], [, other]) => (one < other ? -1 : 1));
    assert.deepEqual(seen[search].map(([, path]) => path), PASSED_ON.toSorted());
    const carried = requests.filter(({ headers }) => headers.traceparent).map(({ path }) => path);
    // A picture's request is in mode "no-cors": that allows no such header.
    assert.deepEqual(carried, search ? ["/moved", "/served", "/echo"] : []);
    await profile.close();
  }
  assert.deepEqual(seen["?traced"], seen[""]);
});
