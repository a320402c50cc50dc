/** What all instrumentations of requests share: how a request is described, and where `traceparent` may go. */

import { epochOf } from "./clock.mjs";
import { fail, httpUrl } from "./options.mjs";
import { describe } from "./span.mjs";
import { startSpan } from "./tracer.mjs";
import { isExport } from "./transport.mjs";

/** Methods that a page can use and a span may be named after (semantic conventions, "http.request.method"), to keep names few. */
const CAPITALISED = /^(DELETE|GET|HEAD|OPTIONS|POST|PUT)$/i;
/** The same, but as they are written (Fetch standard, "normalize a method"). */
const WRITTEN = /^(PATCH|QUERY)$/;

/** The phases of Resource Timing that become events, in their order. */
const PHASES = [
  "redirectStart",
  "redirectEnd",
  "workerStart",
  "fetchStart",
  "domainLookupStart",
  "domainLookupEnd",
  "connectStart",
  "secureConnectionStart",
  "connectEnd",
  "requestStart",
  "responseStart",
  "responseEnd",
];

/**
 * What the semantic conventions want of an address: without credentials and fragment, and with the query only where it is wanted and opens
 * nothing: one with a signature (`sig`, `Signature`, `AWSAccessKeyId` and the like) is left out.
 */
export const describeUrl = (url, recordQuery) => ({
  "url.full": url.origin + url.pathname + (recordQuery && !/\b(sig|aws)/i.test(url.search) ? url.search : ""),
  "server.address": url.hostname,
  "server.port": +url.port || (url.protocol[5] ? 443 : 80),
});

/**
 * Reads the options of `traceFetch` and `traceXhr`. An address is a whole one or a path: one that only looks like a host is a path to a
 * browser, and would let no header out without a word.
 * @throws {TypeError} with the name of the option that is wrong
 */
export function readRequestOptions({ propagateTo, recordQuery } = {}) {
  const targets = [propagateTo].flat().filter((target) => target != null);
  for (const target of targets) target.call || target.exec || /^(https?:\/)?\//i.test(target) || fail("propagateTo", `cannot be ${JSON.stringify(target)}`);
  return { targets, recordQuery };
}

/**
 * Starts the CLIENT span of a request; answers it, whether `traceparent` may travel along, the address, and when it was. `undefined`
 * for a request that is not traced: not HTTP, or an export of spans. Throws for an address that is none.
 */
export function startRequest({ recordQuery, targets }, address, method) {
  const url = httpUrl(address);
  if (!url || isExport(url.pathname)) return;
  const name = CAPITALISED.test(method) ? method.toUpperCase() : WRITTEN.test(method) && method;
  const span = startSpan(name || "HTTP", {
    kind: 2,
    attributes: {
      "http.request.method": name || "_OTHER",
      "http.request.method_original": name ? undefined : method,
      ...describeUrl(url, recordQuery),
    },
  });
  // A page's own origin is not always that of its address: a frame in a sandbox has none.
  return [span, url.origin === globalThis.origin || targets.some((target) => matches(url, target)), url.href, performance.now()];
}

/** Listed: an address (itself and what lies below its path), a pattern for the whole address, or a function. */
function matches(url, target) {
  try {
    if (target.call) return target(new URL(url)) === true;
    if (target.exec) return url.href.search(target) >= 0;
    return `${url.origin + url.pathname}/`.startsWith(httpUrl(target).href.replace(/\/?$/, "/"));
  } catch {
    // Neither an odd function nor an odd address lets a header out.
  }
}

/** Who ends a span whose response has begun; without one it ends at once. */
let ending;
export const endBy = (given) => (ending = given);

/** Ends the span of a call that `startRequest` answered, and answers what it is given: what has a `status` (0: the page may not look into it), or nothing, but an error. */
export function finishRequest(call, answer, error) {
  const [span] = call;
  const { status } = Object(answer);
  if (status) span.setAttribute("http.response.status_code", status);
  if (!answer || status >= 400) {
    const { name = "_OTHER", message } = answer ? { name: String(status) } : describe(error);
    span.setAttribute("error.type", name).setStatus({ code: 2, message });
  }
  if (answer && ending) ending(call, answer);
  else span.end();
  return answer;
}

/** Adds what the browser says of a request to its span. */
export function describeTiming(span, entry) {
  for (const phase of PHASES) if (entry[phase]) span.addEvent(phase, undefined, epochOf(entry[phase]));
  span.setAttributes({
    "http.response.body.size": entry.encodedBodySize || undefined,
    "network.protocol.version": /^(?:http\/|h)(\d.*)$/.exec(entry.nextHopProtocol)?.[1],
  });
}
