/** What all instrumentations of requests share: how a request is described, and where `traceparent` may go. */

import { httpUrl } from "./options.mjs";
import { startSpan } from "./tracer.mjs";
import { isExport } from "./transport.mjs";

/** Methods that a page can use and a span may be named after (semantic conventions, "http.request.method"), to keep names few. */
const CAPITALISED = /^(DELETE|GET|HEAD|OPTIONS|POST|PUT)$/i;
/** The same, but as they are written (Fetch standard, "normalize a method"). */
const WRITTEN = /^(PATCH|QUERY)$/;

/**
 * Starts the CLIENT span of a request; answers it, whether `traceparent` may travel along, and the address. `undefined` for a request
 * that is not traced: not HTTP, or an export of spans. Throws for an address that is none.
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
  return [span, url.origin === globalThis.location?.origin || propagateTo.some((target) => matches(url, target)), url.href];
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

/** Who ends a span whose response has begun; without one it ends at once. */
let ending;
export const endBy = (given) => (ending = given);

/** Ends the span of a call that `startRequest` answered. `answer` has a `status`; 0: the page may not look into it. */
export function finishRequest([span, , address], answer, error) {
  const { status } = answer;
  if (status) span.setAttribute("http.response.status_code", status);
  if (error || status >= 400) {
    span.setAttribute("error.type", String(error ? error.name : status)).setStatus({ code: 2, message: error?.message });
  }
  if (error || !ending) span.end();
  else ending(span, address, answer);
}
