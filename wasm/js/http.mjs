/** What all instrumentations of requests share: how a request is described, and where `traceparent` may go. */

import { httpUrl } from "./options.mjs";
import { startSpan } from "./tracer.mjs";
import { isExport } from "./transport.mjs";

/** Methods that a page can use and a span may be named after (semantic conventions, "http.request.method"), to keep names few. */
const CAPITALISED = /^(DELETE|GET|HEAD|OPTIONS|POST|PUT)$/i;
/** The same, but as they are written (Fetch standard, "normalize a method"). */
const WRITTEN = /^(PATCH|QUERY)$/;

/**
 * Starts the CLIENT span of a request; answers it, and whether `traceparent` may travel along. `undefined` for a request that is
 * not traced: not HTTP, or an export of spans. Throws for an address that is none.
 */
export function startRequest({ recordQuery, propagateTo = [] }, address, method) {
  const url = httpUrl(address);
  if (!url || isExport(url.href)) return;
  const name = CAPITALISED.test(method) ? method.toUpperCase() : WRITTEN.test(method) && method;
  const span = startSpan(name || "HTTP", {
    kind: 2,
    attributes: {
      "http.request.method": name || "_OTHER",
      "http.request.method_original": name ? null : method,
      "url.full": url.origin + url.pathname + (recordQuery ? url.search : ""),
      "server.address": url.hostname,
      "server.port": +url.port || (url.protocol === "https:" ? 443 : 80),
    },
  });
  return [span, url.origin === globalThis.location?.origin || propagateTo.some((target) => matches(url, target))];
}

/** Listed: an address (itself and what lies below its path), a pattern for the whole address, or a function. */
function matches(url, target) {
  if (target instanceof RegExp) return url.href.search(target) >= 0;
  try {
    if (typeof target === "function") return target(new URL(url)) === true;
    return `${url.origin + url.pathname}/`.startsWith(httpUrl(target).href.replace(/\/?$/, "/"));
  } catch {
    // Neither an odd function nor an odd address lets a header out.
  }
}

/** Ends the span of a request. Status 0: a response the page may not look into. */
export function finishRequest(span, status, error) {
  if (status) span.setAttribute("http.response.status_code", status);
  if (error || status >= 400) {
    span.setAttribute("error.type", String(error ? error.name : status)).setStatus({ code: 2, message: error?.message });
  }
  span.end();
}
