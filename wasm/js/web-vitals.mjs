/** Makes a span of each web vital that the package `web-vitals` reports. */

import { startSpan } from "./tracer.mjs";

let installed;

/**
 * The instrumentation, for `init`'s list; `vitals` is that package, `import * as vitals from "web-vitals"`, and `options` are its own. The
 * spans have no length, and there is one when a value is final, which for most is when the page is left. A second instrumentation does nothing.
 */
export const traceWebVitals = (vitals, options) => () => {
  if (installed) return;
  let on = (installed = true);
  // Names are those of the event `browser.web_vital` (OpenTelemetry semantic conventions, "Browser events").
  const report = ({ name, value, delta, rating, id, navigationType }) => {
    if (!on) return;
    name = name.toLowerCase();
    const attributes = {
      "browser.web_vital.name": name,
      "browser.web_vital.value": value,
      "browser.web_vital.delta": delta,
      "browser.web_vital.rating": rating,
      "browser.web_vital.id": id,
      "browser.web_vital.navigation_type": navigationType,
      "url.path": location.pathname,
    };
    const now = Date.now();
    startSpan(`browser.web_vital ${name}`, { parent: null, startTime: now, attributes }).end(now);
  };
  for (const name of ["onCLS", "onFCP", "onINP", "onLCP", "onTTFB"]) vitals[name]?.(report, options);
  return () => {
    // That package knows no end.
    on = installed = false;
  };
};
