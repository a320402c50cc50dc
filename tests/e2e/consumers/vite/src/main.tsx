/** The application's entry: tracing first, then React. */

import { tracer } from "./tracing"; // first, so that it sees all that follows
import { createRoot } from "react-dom/client";
import { App } from "./App";

const root = createRoot(document.querySelector("#root")!, {
  // What no boundary catches is reported by `traceWeb`.
  onCaughtError(error) {
    tracer.startSpan("render error").recordException(error).setStatus({ code: 2 }).end();
  },
});
root.render(<App />);
