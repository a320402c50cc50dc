/** Makes a span of each change of route within the page: by the Navigation API where there is one, else by patching `history`. */

import { epochOf } from "./clock.mjs";
import { activeSpan, enter } from "./context.mjs";
import { describe } from "./span.mjs";
import { startSpan } from "./tracer.mjs";

let installed;

/**
 * The instrumentation, for `init`'s list; a second one does nothing. `route` names the route of an address, by default its path; a change of
 * the name is a change of route.
 */
export const traceNavigation = ({ route } = {}) => () => {
  if (installed || !globalThis.history) return;
  installed = true;
  const listening = new AbortController();
  const byApi = !!globalThis.navigation?.addEventListener;
  const nameOf = () => {
    try {
      if (route) return String(route(new URL(location.href)));
    } catch {
      // A page goes on whatever becomes of a name.
    }
    return location.pathname;
  };
  let name = nameOf();
  let span;

  function end() {
    span?.end();
    span = undefined;
  }

  /** A span, if the page is at another route now; what has no other parent belongs to it in this task. */
  function changed(type, startTime) {
    const next = nameOf();
    if (next === name) return;
    name = next;
    end();
    const started = (span = startSpan("navigation", {
      startTime,
      attributes: { "browser.navigation.type": type, "url.path": location.pathname, "url.template": route && next },
    }));
    const leave = activeSpan() ? undefined : enter(started);
    // From the change to the end of the task in which the router answers it, or until the page says that it is done.
    setTimeout(() => {
      leave?.();
      if (!byApi && span === started) end();
    });
  }

  const undo = byApi ? listen() : patch();
  return () => {
    installed = false;
    listening.abort();
    undo?.();
    end();
  };

  function listen() {
    const on = (type, listener) => navigation.addEventListener(type, listener, listening);
    let begun;
    on("navigate", () => (begun = performance.now()));
    // The address has changed, and the document has not: only now it is known.
    on("currententrychange", ({ navigationType }) => changed(navigationType ?? "replace", epochOf(begun ?? performance.now())));
    on("navigatesuccess", () => setTimeout(end));
    on("navigateerror", ({ error }) => {
      const { name = typeof error, message } = describe(error);
      // Overtaken by another one is no failure.
      if (name !== "AbortError") span?.recordException(error).setAttribute("error.type", name).setStatus({ code: 2, message });
      end();
    });
  }

  function patch() {
    const originals = {};
    const patched = { pushState: "push", replaceState: "replace" };
    for (const [method, type] of Object.entries(patched)) {
      const original = (originals[method] = history[method]);
      patched[method] = history[method] = new Proxy(original, {
        apply(_, self, args) {
          const answer = Reflect.apply(original, self, args);
          if (!listening.signal.aborted) changed(type);
          return answer;
        },
      });
    }
    for (const type of ["popstate", "hashchange"]) addEventListener(type, () => changed("traverse"), listening);
    return () => {
      for (const method in originals) if (history[method] === patched[method]) history[method] = originals[method];
    };
  }
};
