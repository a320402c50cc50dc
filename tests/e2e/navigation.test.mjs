/** Changes of route in a real Chromium, where the page's own code is odd: it goes on as it would without us, and is recorded as well as can be. */

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { startInstrumented } from "./support/instrumented.mjs";

const WITHOUT_API = "Object.defineProperty(window, 'navigation', { value: undefined });";

let all;

before(async () => {
  all = await startInstrumented();
});

after(() => all?.end());

for (const [how, first] of [["the Navigation API", undefined], ["the History API", WITHOUT_API]]) {
  test(`by ${how}, a route that throws or answers no text neither breaks a router nor a name`, async () => {
    const route = "(url) => { if (url.pathname === '/bad') throw new Error('no route'); return url.pathname === '/odd' ? Symbol('odd') : url.pathname.replace(/[0-9]+/, ':id'); }";
    const page = await all.open({ use: `traceNavigation({ route: ${route} }), traceErrors()`, first });
    const seen = await page.evaluate(async () => {
      const rest = () => new Promise((resolve) => setTimeout(resolve, 20));
      const answers = [];
      for (const address of ["/orders/1", "/bad", "/odd", "/orders/2"]) {
        try {
          answers.push(history.pushState({ address }, "", address), location.pathname, history.state.address);
        } catch (error) {
          answers.push(String(error));
        }
        await rest();
      }
      try {
        history.pushState(null, "", "https://elsewhere.test/");
      } catch ({ name }) {
        answers.push(name);
      }
      return answers;
    });
    assert.deepEqual(seen, [...["/orders/1", "/bad", "/odd", "/orders/2"].flatMap((address) => [undefined, address, address]), "SecurityError"]);
    const spans = await all.exactly("navigation", 4);
    assert.deepEqual(spans.map(({ attributes }) => attributes["url.template"]), ["/orders/:id", "/bad", "Symbol(odd)", "/orders/:id"]);
    await page.finish();
  });
}

test("a route that fails with something that is hardly an error ends all the same, and says what can be read of it", async () => {
  const page = await all.open({ use: "traceNavigation(), traceErrors()" });
  const live = await page.evaluate(async () => {
    const odd = [{ get name() { throw new Error("no name"); } }, { name: Object.create(null) }, Object.create(null), null, undefined, Symbol("sign"), "text"];
    navigation.addEventListener("navigate", (event) => {
      const error = odd[new URL(event.destination.url).searchParams.get("odd")];
      event.intercept({ handler: () => Promise.reject(error) });
    });
    for (const index in odd) await navigation.navigate(`/broken/${index}?odd=${index}`).finished.catch(() => {});
    return tracer.stats().live;
  });
  assert.equal(live, 0);
  const spans = await all.exactly("navigation", 7);
  assert.deepEqual(spans.map(({ attributes }) => attributes["error.type"]), ["object", undefined, "object", "object", "undefined", "symbol", "string"]);
  assert.ok(spans.every(({ status, events }) => status.code === 2 && events.length === 1));
  assert.equal(spans.at(-1).status.message, "text");
  assert.ok(!all.spans().some(({ name }) => name === "uncaught exception"));
  await page.finish();
});

test("the History API's functions keep their names and lengths", async () => {
  const page = await all.open({ use: "traceNavigation()", first: `${WITHOUT_API} window.native = history.pushState;` });
  const shapes = await page.evaluate(() => [history.pushState !== native, ...[history.pushState, history.replaceState].map(({ name, length }) => [name, length])]);
  assert.deepEqual(shapes, [true, ["pushState", 2], ["replaceState", 2]]);
  await page.finish();
});
