/** Makes a span of each exception that nobody caught and each rejection that nobody handled; an error is reported once. */

import { startSpan } from "./tracer.mjs";

/** A page that fails in a loop says nothing new after so many. */
const MOST = 50;

/** The instrumentation, for `init`'s list. */
export const traceErrors = ({ most = MOST } = {}) => () => {
  const listening = new AbortController();
  const seen = new WeakSet();
  let left = most;

  function report(kind, error, place) {
    if (error === Object(error)) {
      if (seen.has(error)) return;
      seen.add(error);
    }
    if (left-- <= 0) return;
    const span = startSpan(kind, { attributes: { "error.type": error?.name ?? typeof error, "url.path": globalThis.location?.pathname, ...place } });
    span.recordException(error).setStatus({ code: 2, message: String(error?.message ?? error) }).end();
  }

  globalThis.addEventListener?.(
    "error",
    ({ error, message, filename, lineno, colno }) => {
      // Without a message it is not a script's: an image or a stylesheet that did not load.
      if (!error && !message) return;
      const place = { "code.file.path": filename?.split(/[?#]/)[0] || undefined, "code.line.number": lineno, "code.column.number": colno };
      report("uncaught exception", error ?? message, place);
    },
    listening,
  );
  globalThis.addEventListener?.("unhandledrejection", ({ reason }) => report("unhandled rejection", reason), listening);
  return () => listening.abort();
};
