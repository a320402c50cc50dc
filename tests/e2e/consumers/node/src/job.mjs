/** A job of a server, traced. */

import { init } from "clewline";
import { traceFetch } from "clewline/fetch";

const tracer = init({
  serviceName: "import-job",
  endpoint: process.env.OTEL_EXPORTER_OTLP_ENDPOINT,
  instrumentations: [traceFetch({ propagateTo: [/^https:/] })],
});

await tracer.startActiveSpan("import", async (span) => {
  await new Promise((resolve) => setTimeout(resolve, 10));
  tracer.startSpan("row").end(); // a child of "import"
  span.end();
});
