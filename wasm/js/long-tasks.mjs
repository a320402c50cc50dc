/** Makes a span of each long animation frame, or, where the browser does not tell those, of each long task. */

import { epochOf } from "./clock.mjs";
import { startSpan } from "./tracer.mjs";

/** An address without query and fragment. */
const plain = (address) => address?.split(/[?#]/)[0] || undefined;

let installed;

/**
 * The instrumentation, for `init`'s list; a second one does nothing. Frames shorter than `least` milliseconds are left out; browsers tell
 * those from 50 on.
 */
export const traceLongTasks = ({ least = 50 } = {}) => () => {
  const known = globalThis.PerformanceObserver?.supportedEntryTypes ?? [];
  const type = ["long-animation-frame", "longtask"].find((type) => known.includes(type));
  if (installed || !type) return;
  installed = true;
  const report = ({ startTime, duration, blockingDuration, scripts = [] }) => {
    if (duration < least) return;
    let longest;
    for (const script of scripts) if (!(script.duration <= longest?.duration)) longest = script;
    const attributes = {
      "task.blocking_duration": blockingDuration,
      // An address, or an element with its listener: `BUTTON#buy.onclick`.
      "task.invoker": longest?.invoker?.split("?")[0] || undefined,
      "code.file.path": plain(longest?.sourceURL),
      "code.function.name": longest?.sourceFunctionName || undefined,
      "url.path": globalThis.location?.pathname,
    };
    const start = epochOf(startTime);
    startSpan(type, { parent: null, startTime: start, attributes }).end(start + duration);
  };
  const observer = new PerformanceObserver((list) => list.getEntries().forEach(report));
  observer.observe({ type, buffered: true });
  const reportRest = () => observer.takeRecords().forEach(report);
  globalThis.addEventListener?.("pagehide", reportRest);
  return () => {
    installed = false;
    globalThis.removeEventListener?.("pagehide", reportRest);
    reportRest();
    observer.disconnect();
  };
};
