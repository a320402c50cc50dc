/**
 * Lets spans of requests end with the response's body, and records the phases of the request as events.
 *
 * The browser tells when a body has arrived (Resource Timing); the body itself is never touched. What never ends, such as a stream of
 * events, costs one small object: the span ends where its headers arrived when the page is left, or when too many wait; and so does that of a body
 * that nobody reads, of which the browser tells nothing.
 */

import { epochOf } from "./clock.mjs";
import { endBy } from "./http.mjs";

/** The phases of Resource Timing that become events, in their order. */
export const PHASES = [
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
/** So many requests may wait for their bodies; then the oldest ends. */
const MOST = 64;
/** After so long nobody is going to read a body that nobody has begun to read, in milliseconds. */
const PATIENCE = 1000;
/** An answer whose body ended so long before its headers were seen is that of an earlier request, in milliseconds. */
const TOLERANCE = 2000;

/** Adds what the browser says of a request to its span. */
export function describeTiming(span, entry) {
  for (const phase of PHASES) if (entry[phase]) span.addEvent(phase, undefined, epochOf(entry[phase]));
  const version = /^(?:http\/|h)(\d.*)$/.exec(entry.nextHopProtocol)?.[1];
  span.setAttributes({
    "http.response.body.size": entry.encodedBodySize || undefined,
    "network.protocol.version": version,
  });
}

/** The instrumentation, for `init`'s list. Without Resource Timing it does nothing. */
export const traceTiming = () => () => {
  if (!globalThis.PerformanceObserver?.supportedEntryTypes?.includes("resource")) return;
  /** Spans whose headers are there: `{ span, address, at, answer }`, oldest first. */
  const open = [];
  let timer;
  const end = ({ span, at }) => span.end(epochOf(at));
  const endAll = () => open.splice(0).forEach(end);

  /** Ends spans whose bodies nobody reads: the browser says nothing of those. */
  function check() {
    const now = performance.now();
    for (const waiting of [...open]) {
      const answer = waiting.answer.deref();
      if (now - waiting.at < PATIENCE || answer?.bodyUsed) continue;
      open.splice(open.indexOf(waiting), 1);
      end(waiting);
    }
    timer = open.length ? setTimeout(check, PATIENCE) : undefined;
  }

  /** Ends the span that an entry belongs to. */
  function match(entry) {
    if (!/^(fetch|xmlhttprequest)$/.test(entry.initiatorType)) return;
    const index = open.findIndex(({ address, at }) => address === entry.name && entry.responseEnd >= at - TOLERANCE);
    if (index < 0) return;
    const [{ span }] = open.splice(index, 1);
    describeTiming(span, entry);
    span.end(epochOf(entry.responseEnd));
  }

  const observer = new PerformanceObserver((list) => list.getEntries().forEach(match));
  observer.observe({ type: "resource" });
  endBy((span, address, answer) => {
    if (open.length === MOST) end(open.shift());
    address = address.split("#")[0];
    open.push({ span, address, at: performance.now(), answer: new WeakRef(answer) });
    timer ??= setTimeout(check, PATIENCE);
    // An XMLHttpRequest has its body already, and its entry may have been told before.
    const last = answer.bodyUsed === undefined && performance.getEntriesByName(address, "resource").at(-1);
    if (last) match(last);
  });
  globalThis.addEventListener?.("pagehide", endAll);
  return () => {
    endBy(undefined);
    observer.disconnect();
    clearTimeout(timer);
    globalThis.removeEventListener?.("pagehide", endAll);
    endAll();
  };
};
