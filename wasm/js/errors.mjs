/** Makes a span of each exception that nobody caught and each rejection that nobody handled; an error is reported once. */

import { describe } from "./span.mjs";
import { startSpan } from "./tracer.mjs";

/** A page that fails in a loop says nothing new after so many. */
const MOST = 50;

let installed;

/** The instrumentation, for `init`'s list; a second one does nothing. At most `mostErrors` are reported. */
export const traceErrors = ({ mostErrors = MOST } = {}) => () => {
  if (installed || !globalThis.addEventListener) return;
  installed = true;
  const listening = new AbortController();
  const seen = new WeakSet();
  let left = mostErrors;

  function report(title, error, attributes) {
    if (error === Object(error)) {
      if (seen.has(error)) return;
      seen.add(error);
    }
    if (left-- <= 0) return;
    const { name = "_OTHER", message } = describe(error);
    const span = startSpan(title, { attributes: { "error.type": name, "url.path": globalThis.location?.pathname, ...attributes } });
    span.recordException(error).setStatus({ code: 2, message }).end();
  }

  addEventListener(
    "error",
    (event) => {
      const { error, message, filename, lineno, colno } = event;
      // Without a message it is not a script's: an image or a stylesheet that did not load.
      if (!(event instanceof ErrorEvent) || (error == null && !message)) return;
      const place = {
        "code.file.path": filename?.split(/[?#]/)[0] || undefined,
        "code.line.number": lineno || undefined,
        "code.column.number": colno || undefined,
      };
      // A script of another origin without CORS says no more than "Script error.".
      report("uncaught exception", error ?? message, place);
    },
    listening,
  );
  addEventListener("unhandledrejection", ({ reason }) => report("unhandled rejection", reason), listening);
  return () => {
    installed = false;
    listening.abort();
  };
};
