/** A server whose libraries know `@opentelemetry/api` alone. */

import { init } from "clewline";
import { provideApi } from "clewline/api";

init({ serviceName: "shop", instrumentations: [provideApi()] });

const { trace } = await import("@opentelemetry/api");
const tracer = trace.getTracer("library", "2.0");

await tracer.startActiveSpan("outer", async (outer) => {
  await new Promise((resolve) => setTimeout(resolve, 10));
  tracer.startSpan("inner").end();
  outer.end();
});

// The same options, so the same tracer.
await init({ serviceName: "shop", instrumentations: [provideApi()] }).flush();
