/** Makes spans of the page's own load: the document, its resources, and what the browser timed of them. */

import { epochOf } from "./clock.mjs";
import { enter } from "./context.mjs";
import { describeTiming, describeUrl } from "./http.mjs";
import { httpUrl } from "./options.mjs";
import { isExport } from "./transport.mjs";
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

/** The server's span of this page: from its `Server-Timing` header, or from `<meta name="traceparent">`. */
function serverContext(navigation) {
  const timing = navigation.serverTiming?.find(({ name }) => name === "traceparent");
  return timing?.description || document.querySelector('meta[name="traceparent"]')?.content || null;
}

let installed;

/**
 * The instrumentation, for `init`'s list; a page's load is recorded once. Until it is over, what has no other parent belongs to it; with
 * `oneTrace` for as long as the page lives.
 */
export const traceDocumentLoad = ({ resources = true, recordQuery = false, oneTrace = false } = {}) => () => {
  const [navigation] = globalThis.document ? performance.getEntriesByType("navigation") : [];
  const url = navigation && httpUrl(location.href);
  if (installed || !url) return;
  installed = true;
  const load = startSpan("documentLoad", {
    parent: serverContext(navigation),
    startTime: epochOf(navigation.startTime),
    attributes: { "url.full": describeUrl(url, recordQuery)["url.full"], "browser.navigation.type": navigation.type },
  });
  const leave = enter(load);
  const listening = new AbortController();
  const entries = [];
  let lost = 0;
  // Its own list of resources ends after 250, an observer's does not.
  const observer = new PerformanceObserver((list, _, { droppedEntriesCount = 0 } = {}) => {
    entries.push(...list.getEntries());
    lost += droppedEntriesCount;
  });
  if (resources) observer.observe({ type: "resource", buffered: true });

  function report() {
    if (!oneTrace) leave();
    // Reported before, or not sampled.
    if (!load.isRecording()) return observer.disconnect();
    const events = [...MILESTONES.map((name) => ({ name, startTime: navigation[name] })), ...performance.getEntriesByType("paint")];
    events.sort((one, other) => one.startTime - other.startTime);
    for (const { name, startTime } of events) if (startTime) load.addEvent(name, undefined, epochOf(startTime));
    entries.push(...observer.takeRecords());
    observer.disconnect();
    if (lost) load.setAttribute("browser.resource_timing.dropped", lost);

    request("documentFetch", navigation);
    // A page that is left before its load is over has loaded until now.
    const end = navigation.loadEventEnd || performance.now();
    for (const entry of entries.splice(0)) {
      // Requests by script have spans of their own.
      const isOwn = /^(fetch|xmlhttprequest|beacon)$/.test(entry.initiatorType);
      if (!isOwn && entry.startTime <= end) request("resourceFetch", entry);
    }
    load.end(epochOf(end));
  }

  function request(name, entry) {
    const url = httpUrl(entry.name);
    // A picture in the page's own text is no request, and an export of spans none of the page's.
    if (!url || isExport(url.pathname)) return;
    const { responseStatus: status, initiatorType } = entry;
    const span = startSpan(name, {
      kind: 2,
      parent: load,
      startTime: epochOf(entry.fetchStart),
      attributes: {
        "http.request.method": "GET",
        ...describeUrl(url, recordQuery),
        "http.response.status_code": status || undefined,
        "browser.resource_timing.initiator_type": initiatorType,
      },
    });
    describeTiming(span, entry);
    if (status >= 400) span.setAttribute("error.type", String(status)).setStatus({ code: 2 });
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
