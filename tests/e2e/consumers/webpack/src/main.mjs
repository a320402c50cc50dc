/** A page whose Content-Security-Policy may forbid WebAssembly, with each instrumentation imported by itself. */

import { init } from "clewline/fallback";
import { traceDocumentLoad } from "clewline/document-load";
import { traceFetch } from "clewline/fetch";
import { traceInteraction } from "clewline/interaction";
import { traceTiming } from "clewline/timing";

const tracer = await init({
  serviceName: "shop-web",
  instrumentations: [traceTiming(), traceFetch(), traceDocumentLoad(), traceInteraction()],
});

const button = /** @type {HTMLElement} */ (document.querySelector("#buy"));
button.addEventListener("click", async () => (await fetch("/api/buy")).json());

// For whoever looks at this page from outside.
Object.assign(window, { tracer });
