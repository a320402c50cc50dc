/**
 * Lets spans of requests end with the response's body, and records the phases of the request as events.
 *
 * The browser tells when a body has arrived (Resource Timing); the body itself is never touched. What never ends, such as a stream of
 * events, costs one small object: the span ends where its headers arrived when the page is left, or when too many wait; and so does that of a body
 * that nobody reads, of which the browser tells nothing.
 */

import { epochOf } from "./clock.mjs";
import { describeTiming, endBy } from "./http.mjs";

/** So many requests may wait for their bodies; then the oldest ends. */
const MOST = 64;
/** After so long nobody is going to read a body that nobody has begun to read, in milliseconds. */
const PATIENCE = 5000;
/** How far the browser's own time of a start may lie before ours, in milliseconds: it is rounded. */
const TOLERANCE = 1;
/** So many entries wait for spans that begin to wait only now. */
const EARLY = 16;

let installed;

/** An address without its fragment, of which some browsers tell here and some do not. */
const plain = (address) => address.split("#")[0];

/** The instrumentation, for `init`'s list; a second one does nothing. Without Resource Timing it does nothing either. */
export const traceTiming = () => () => {
  if (installed || !globalThis.PerformanceObserver?.supportedEntryTypes?.includes("resource")) return;
  installed = true;
  /** Spans whose headers are there, oldest first: `{ span, address, started, at, status, answer }`. */
  let open = [];
  /** Entries that came before anybody waited for them, or belong to nobody. */
  const early = [];
  let timer;

  function end(waiting, time = waiting.at) {
    open = open.filter((other) => other !== waiting);
    waiting.span.end(epochOf(time));
  }

  const endAll = () => open.forEach((waiting) => end(waiting));

  /** Ends spans whose bodies nobody reads. Of those that are read, or whose reader is all that is left, the browser is going to tell. */
  function check() {
    const now = performance.now();
    for (const waiting of open) {
      if (!waiting.answer || now - waiting.at < PATIENCE) continue;
      const answer = waiting.answer.deref();
      waiting.answer = undefined;
      if (answer && !answer.bodyUsed) end(waiting);
    }
    timer = open.some(({ answer }) => answer) ? setTimeout(check, PATIENCE) : undefined;
  }

  /** Ends the span that an entry belongs to: of those to its address, the last that had begun. */
  function match(entry) {
    if (!/^(fetch|xmlhttprequest)$/.test(entry.initiatorType)) return;
    let waiting;
    for (const one of open) {
      const isCloser = one.started <= entry.startTime + TOLERANCE && !(one.started < waiting?.started);
      if (isCloser && one.address === plain(entry.name) && one.at >= entry.startTime) waiting = one;
    }
    if (!waiting) {
      if (early.push(entry) > EARLY) early.shift();
      return;
    }
    const { span, status } = waiting;
    describeTiming(span, entry);
    // There was a status when the headers came: the body was given up.
    if (status && entry.responseStatus === 0) span.setAttribute("error.type", "AbortError").setStatus({ code: 2 });
    end(waiting, entry.responseEnd);
  }

  const observer = new PerformanceObserver((list) => list.getEntries().forEach(match));
  observer.observe({ type: "resource" });
  endBy(([span, , address, started], answer) => {
    if (open.length === MOST) end(open[0]);
    open.push({ span, address: plain(address), started, at: performance.now(), status: answer.status, answer: new WeakRef(answer) });
    timer ??= setTimeout(check, PATIENCE);
    const index = early.findIndex(({ name, startTime }) => plain(name) === plain(address) && startTime >= started - TOLERANCE);
    if (index >= 0) match(early.splice(index, 1)[0]);
  });
  globalThis.addEventListener?.("pagehide", endAll);
  return () => {
    installed = false;
    endBy(undefined);
    clearTimeout(timer);
    globalThis.removeEventListener?.("pagehide", endAll);
    observer.takeRecords().forEach(match);
    observer.disconnect();
    endAll();
  };
};
