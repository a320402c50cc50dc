/** Makes a span of each long animation frame, or, where the browser does not tell those, of each long task. */

import { epochOf } from "./clock.mjs";
import { startSpan } from "./tracer.mjs";

/** An address without query and fragment. */
const plain = (address) => address?.split(/[?#]/)[0] || undefined;

/** The instrumentation, for `init`'s list. Frames shorter than `least` milliseconds are left out; browsers tell those from 50 on. */
export const traceLongTasks = ({ least = 50 } = {}) => () => {
  const known = globalThis.PerformanceObserver?.supportedEntryTypes ?? [];
  const type = ["long-animation-frame", "longtask"].find((type) => known.includes(type));
  if (!type) return;
  const observer = new PerformanceObserver((list) => {
    for (const { startTime, duration, blockingDuration, scripts = [] } of list.getEntries()) {
      if (duration < least) continue;
      const longest = scripts.toSorted((one, other) => other.duration - one.duration)[0];
      const attributes = {
        "task.blocking_duration": blockingDuration,
        "code.file.path": plain(longest?.sourceURL),
        "code.function.name": longest?.sourceFunctionName || undefined,
        "task.invoker": plain(longest?.invoker),
        "url.path": location.pathname,
      };
      const start = epochOf(startTime);
      startSpan(type, { parent: null, startTime: start, attributes }).end(start + duration);
    }
  });
  observer.observe({ type, buffered: true });
  return () => observer.disconnect();
};
