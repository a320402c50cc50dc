/** A Worker with types of its own platform, which has neither a document nor a DOM library. */

import { instrument } from "clewline/cloudflare";
import { init, SpanKind } from "clewline";

interface Environment {
  readonly COLLECTOR: string;
}

export default instrument<ExportedHandler<Environment>>(
  {
    async fetch(request, env, context): Promise<Response> {
      const tracer = init({ serviceName: "types", endpoint: env.COLLECTOR });
      const span = tracer.startSpan("work", { kind: SpanKind.INTERNAL });
      context.waitUntil(tracer.flush());
      span.end();
      return fetch(`https://api.example.com${new URL(request.url).pathname}`, { headers: span.inject(new Headers()) });
    },
  },
  (env: Environment) => ({ serviceName: "worker", endpoint: env.COLLECTOR, propagateTo: ["https://api.example.com"] }),
);
