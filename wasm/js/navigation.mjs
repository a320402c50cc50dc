/** Makes a span of each change of route within the page: by the Navigation API where there is one, else by patching `history`. */

import { startSpan } from "./tracer.mjs";

const begin = (type, address) =>
  startSpan("navigation", { attributes: { "navigation.type": type, "url.path": new URL(address, location.href).pathname } });

/** The instrumentation, for `init`'s list. */
export const traceNavigation = () => () => (globalThis.navigation?.addEventListener ? byNavigation() : byHistory());

function byNavigation() {
  const listening = new AbortController();
  const on = (type, listener) => navigation.addEventListener(type, listener, listening);
  let span;
  const end = () => {
    span?.end();
    span = undefined;
  };
  on("navigate", (event) => {
    if (!event.destination.sameDocument || event.hashChange || event.downloadRequest != null) return;
    end();
    span = begin(event.navigationType, event.destination.url);
  });
  on("navigatesuccess", end);
  on("navigateerror", ({ error }) => {
    // Superseded by another navigation is no failure.
    if (span && error?.name !== "AbortError") span.recordException(error).setStatus({ code: 2, message: error?.message });
    end();
  });
  return () => {
    listening.abort();
    end();
  };
}

function byHistory() {
  const listening = new AbortController();
  let path = location.pathname;
  /** From the change to the end of the task in which the router answers it. */
  const changed = (type) => {
    if (location.pathname === path) return;
    path = location.pathname;
    const span = begin(type, location.href);
    setTimeout(() => span.end());
  };
  const patched = { pushState: "push", replaceState: "replace" };
  const originals = {};
  for (const [name, type] of Object.entries(patched)) {
    const original = (originals[name] = history[name]);
    patched[name] = history[name] = function () {
      const answer = original.apply(this, arguments);
      changed(type);
      return answer;
    };
  }
  addEventListener("popstate", () => changed("traverse"), listening);
  return () => {
    listening.abort();
    for (const name in originals) if (history[name] === patched[name]) history[name] = originals[name];
  };
}
