/** Starts tracing; imported first, so that it sees all that follows. */

import { init } from "clewline";
import { browser, session } from "clewline/session";
import { traceWeb } from "clewline/web";
import { traceWebVitals } from "clewline/web-vitals";
import * as vitals from "web-vitals";

export const tracer = init({
  serviceName: "shop-web",
  endpoint: import.meta.env.VITE_OTLP ?? "http://localhost:4318",
  resource: { "service.version": "1.4.0", ...session(), ...browser() },
  instrumentations: [traceWeb(), traceWebVitals(vitals)],
});
