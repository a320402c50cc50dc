/** `Span`: one operation, as the caller sees it. All it holds are numbers; what is recorded lives in the wasm module. */

import { withActive } from "./context.mjs";
import { timeOf } from "./clock.mjs";
import { begin, record, run, textOf, traceparentOf, wasm, word, write } from "./module.mjs";
import { spanEnded } from "./transport.mjs";

/** Roles of a span; the numbers are those of `@opentelemetry/api`. */
export const SpanKind = { INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 };

/** Outcomes of a span; the numbers are those of `@opentelemetry/api`. */
export const SpanStatusCode = { UNSET: 0, OK: 1, ERROR: 2 };

/** A span's handle, if it is one of the running tracer's; else 0. For this package only. */
export let handleOf;

/** The `traceparent` of a span, a span context or a header text; a malformed one, which is counted, for anything else. */
export function parentText(parent) {
  try {
    if (typeof parent === "string") return parent;
    const { traceId, spanId, traceFlags } = parent.spanContext?.() ?? parent;
    // Of the flags, those that version 00 knows (W3C Trace Context level 2, section 3.2.2.5).
    return `00-${traceId}-${spanId}-0${traceFlags & 3}`;
  } catch {
    return "";
  }
}

/** What is known of a thrown value. Anything can be thrown, and may throw itself when it is looked at. */
export function describe(error) {
  try {
    const { name, message = error, stack } = Object(error);
    return { name, message: textOf(message), stack };
  } catch {
    return { message: typeof error };
  }
}

export class Span {
  #wasm = wasm;
  #handle;
  #start;
  #live;

  static {
    handleOf = (span) => (#wasm in Object(span) && span.#wasm === wasm ? span.#handle : 0);
  }

  /** Made by `startSpan`. */
  constructor(handle, start) {
    this.#handle = handle;
    this.#start = start;
    this.#live = (handle & 1) === 1;
  }

  isRecording() {
    begin();
    return this.#live && this.#wasm === wasm;
  }

  setAttribute(key, value) {
    if (value != null && this.isRecording()) {
      record(0, word(key), value);
      wasm.set(this.#handle, 1);
    }
    return this;
  }

  setAttributes(attributes) {
    if (this.isRecording()) {
      wasm.set(this.#handle, run(attributes));
    }
    return this;
  }

  addEvent(name, attributes, time) {
    if (this.isRecording()) {
      wasm.event(this.#handle, word(name), timeOf(time), run(attributes));
    }
    return this;
  }

  addLink(link) {
    if (this.isRecording()) {
      wasm.link(this.#handle, write(parentText(link?.context)), run(link?.attributes));
    }
    return this;
  }

  setStatus(status) {
    if (this.isRecording()) {
      wasm.status(this.#handle, status?.code, write(textOf(status?.message || "")));
    }
    return this;
  }

  /** An event as the semantic conventions want it. Does not set the status: an exception that was handled is no failure. */
  recordException(exception, time) {
    const { name, message, stack } = describe(exception);
    return this.addEvent("exception", { "exception.message": message, "exception.type": name, "exception.stacktrace": stack }, time);
  }

  updateName(name) {
    if (this.isRecording()) {
      wasm.rename(this.#handle, word(name));
    }
    return this;
  }

  /** Ends the span; a second call does nothing. */
  end(time) {
    if (this.isRecording()) {
      this.#live = false;
      spanEnded(wasm.end(this.#handle, this.#start, timeOf(time)));
    }
  }

  /** The W3C header value that continues this trace elsewhere; of zeros for a span of long ago. */
  traceparent() {
    return traceparentOf(this.#wasm === wasm && this.#handle);
  }

  spanContext() {
    const [, traceId, spanId, flags] = this.traceparent().split("-");
    return { traceId, spanId, traceFlags: +flags };
  }

  /** Adds `traceparent` to the headers of a request made by hand, unless they carry one; answers the headers. */
  inject(headers = {}) {
    const name = "traceparent";
    if (!new Headers(headers).has(name)) headers.set ? headers.set(name, this.traceparent()) : (headers[name] = this.traceparent());
    return headers;
  }

  /** Calls `fn` with this span active: spans and requests started in it, synchronously, become its children. */
  run(fn) {
    return withActive(this, fn);
  }

  /** `fetch` as a child of this span, after an `await` too. */
  fetch(...args) {
    return this.run(() => fetch(...args));
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    this.end();
  }
}
