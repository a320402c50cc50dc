/** A page without a bundler, whose policy may forbid WebAssembly, and which the server rendered in a trace of its own. */

import { init } from "/clewline/fallback.mjs";
import { traceWeb } from "/clewline/web.mjs";

window.tracer = await init({ serviceName: "rendered", endpoint: "http://localhost:4318", instrumentations: [traceWeb()] });
