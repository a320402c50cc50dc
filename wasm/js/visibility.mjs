/** Makes a span of each while in which the page could be seen. */

import { startSpan } from "./tracer.mjs";

/** The instrumentation, for `init`'s list. */
export const traceVisibility = () => () => {
  const listening = new AbortController();
  let span;
  const change = () => {
    const visible = document.visibilityState === "visible";
    if (visible) span ??= startSpan("page visible", { parent: null, attributes: { "url.path": location.pathname } });
    else end();
  };
  const end = () => {
    span?.end();
    span = undefined;
  };
  addEventListener("visibilitychange", change, listening);
  addEventListener("pagehide", end, listening);
  addEventListener("pageshow", change, listening);
  change();
  return () => {
    listening.abort();
    end();
  };
};
