/** Makes a span of each while in which the page could be seen. */

import { startSpan } from "./tracer.mjs";

let installed;

/** The instrumentation, for `init`'s list; a second one does nothing. */
export const traceVisibility = () => () => {
  if (installed || !globalThis.document) return;
  installed = true;
  const listening = new AbortController();
  let span;
  const change = () => {
    if (document.visibilityState !== "visible") end();
    else span ??= startSpan("page visible", { parent: null, attributes: { "url.path": location.pathname } });
  };
  const end = () => {
    span?.end();
    span = undefined;
  };
  document.addEventListener("visibilitychange", change, listening);
  addEventListener("pagehide", end, listening);
  addEventListener("pageshow", change, listening);
  change();
  return () => {
    installed = false;
    listening.abort();
    end();
  };
};
