/** Makes spans of the page's own load: the document, its resources, and what the browser timed of them. */

import { epochOf } from "./clock.mjs";
import { enter } from "./context.mjs";
import { isExport } from "./transport.mjs";
import { describeTiming } from "./timing.mjs";
import { startSpan } from "./tracer.mjs";

/** The milestones of Navigation Timing that become events. */
const MILESTONES = [
  "unloadEventStart",
  "unloadEventEnd",
  "domInteractive",
  "domContentLoadedEventStart",
  "domContentLoadedEventEnd",
  "domComplete",
  "loadEventStart",
  "loadEventEnd",
];

/** An address without credentials, fragment and, unless wanted, query. */
const plain = (address, recordQuery) => {
  const { origin, pathname, search } = new URL(address, globalThis.document?.baseURI);
  return origin + pathname + (recordQuery ? search : "");
};

/** The server's span of this page: from its `Server-Timing` header, or from `<meta name="traceparent">`. */
function serverContext(navigation) {
  const timing = navigation.serverTiming?.find(({ name }) => name === "traceparent");
  return timing?.description || document.querySelector('meta[name="traceparent"]')?.content || null;
}

/**
 * The instrumentation, for `init`'s list. Until the load is over, what has no other parent belongs to it; with `oneTrace` for as long as the
 * page lives.
 */
export const traceDocumentLoad = ({ resources = true, recordQuery = false, oneTrace = false } = {}) => () => {
  const [navigation] = globalThis.document ? performance.getEntriesByType("navigation") : [];
  if (!navigation) return;
  const load = startSpan("documentLoad", {
    parent: serverContext(navigation),
    startTime: epochOf(navigation.startTime),
    attributes: { "url.full": plain(location.href, recordQuery), "navigation.type": navigation.type },
  });
  const leave = enter(load);
  const listening = new AbortController();

  function report() {
    if (!load.isRecording()) return;
    if (!oneTrace) leave();
    load.setAttribute("http.response.status_code", navigation.responseStatus || undefined);
    for (const milestone of MILESTONES) if (navigation[milestone]) load.addEvent(milestone, undefined, epochOf(navigation[milestone]));
    for (const { name, startTime } of performance.getEntriesByType("paint")) load.addEvent(name, undefined, epochOf(startTime));

    request("documentFetch", navigation);
    // A page that is left before its load is over has loaded until now.
    const end = navigation.loadEventEnd || performance.now();
    if (resources) {
      for (const entry of performance.getEntriesByType("resource")) {
        // Requests by script have spans of their own.
        const isOwn = /^(fetch|xmlhttprequest|beacon)$/.test(entry.initiatorType) || isExport(entry.name);
        if (!isOwn && entry.startTime <= end) request("resourceFetch", entry);
      }
    }
    load.end(epochOf(end));
  }

  function request(name, entry) {
    const span = startSpan(name, {
      kind: 2,
      parent: load,
      startTime: epochOf(entry.fetchStart),
      attributes: {
        "http.request.method": "GET",
        "url.full": plain(entry.name, recordQuery),
        "http.response.status_code": entry.responseStatus || undefined,
        "resource.initiator": entry.initiatorType,
      },
    });
    describeTiming(span, entry);
    span.end(epochOf(entry.responseEnd || entry.fetchStart));
  }

  // The end of the load event is known once its listeners have run.
  const afterwards = () => setTimeout(report);
  if (document.readyState === "complete") afterwards();
  else addEventListener("load", afterwards, listening);
  addEventListener("pagehide", report, listening);
  return () => {
    listening.abort();
    report();
    leave();
  };
};
