/** Makes a span of each web vital that the package `web-vitals` reports. */

import { startSpan } from "./tracer.mjs";

/**
 * The instrumentation, for `init`'s list; `vitals` is that package: `import * as vitals from "web-vitals"`. Its spans have no length, and
 * end when the value is final, which for most is when the page is left.
 */
export const traceWebVitals = (vitals) => () => {
  let on = true;
  const report = ({ name, value, delta, rating, id, navigationType }) => {
    if (!on) return;
    const attributes = {
      "web_vital.name": name,
      "web_vital.value": value,
      "web_vital.delta": delta,
      "web_vital.rating": rating,
      "web_vital.id": id,
      "web_vital.navigation_type": navigationType,
      "url.path": location.pathname,
    };
    const now = Date.now();
    startSpan(`web-vital ${name}`, { parent: null, startTime: now, attributes }).end(now);
  };
  for (const name of ["onCLS", "onFCP", "onINP", "onLCP", "onTTFB"]) vitals[name]?.(report);
  return () => (on = false);
};
