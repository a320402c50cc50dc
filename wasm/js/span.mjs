/** `Span`: one operation, as the caller sees it. All it holds is a number; what is recorded lives in the wasm module. */

/** Roles of a span; the numbers are those of `@opentelemetry/api`. */
export const SpanKind = Object.freeze({ INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 });

/** Outcomes of a span; the numbers are those of `@opentelemetry/api`. */
export const SpanStatusCode = Object.freeze({ UNSET: 0, OK: 1, ERROR: 2 });

/** A span's handle, if `tracer` made the span; else 0. For this package only. */
export let handleOf;

/** The traceparent of a span, a span context or a header text; an empty text for anything else. */
export function traceparentOf(parent) {
  if (typeof parent === "string") return parent;
  if (parent instanceof Span) return parent.traceparent();
  const { traceId, spanId, traceFlags = 0 } = parent ?? {};
  return traceId && spanId ? `00-${traceId}-${spanId}-${(traceFlags & 0xff).toString(16).padStart(2, "0")}` : "";
}

export class Span {
  #tracer;
  #handle;
  #ended = false;

  static {
    handleOf = (span, tracer) => (span instanceof Span && span.#tracer === tracer ? span.#handle : 0);
  }

  /** Made by `tracer.startSpan`. */
  constructor(tracer, handle) {
    this.#tracer = tracer;
    this.#handle = handle;
  }

  isRecording() {
    return (this.#handle & 1) === 1 && !this.#ended;
  }

  setAttribute(key, value) {
    if (this.isRecording()) this.#tracer.store.set(this.#handle, key, value);
    return this;
  }

  setAttributes(attributes) {
    if (this.isRecording()) for (const key in attributes) this.#tracer.store.set(this.#handle, key, attributes[key]);
    return this;
  }

  addEvent(name, attributes, time) {
    if (this.isRecording()) {
      const { store } = this.#tracer;
      const text = store.text(name);
      const length = store.attributes(attributes, store.behind(text));
      store.wasm.event(this.#handle, text, length, this.#time(time));
    }
    return this;
  }

  addLink(link) {
    if (this.isRecording()) {
      const { store } = this.#tracer;
      const length = store.write(traceparentOf(link.context).padEnd(55));
      store.wasm.link(this.#handle, store.attributes(link.attributes, length));
    }
    return this;
  }

  setStatus({ code, message }) {
    if (this.isRecording()) {
      const { store } = this.#tracer;
      store.wasm.set_status(this.#handle, code, message ? store.write(String(message)) : 0);
    }
    return this;
  }

  /** An event as the semantic conventions want it. Does not set the status: an exception that was handled is no failure. */
  recordException(exception, time) {
    if (!this.isRecording()) return this;
    const { name, message = exception, stack } = Object(exception);
    const attributes = { "exception.message": String(message) };
    if (name) attributes["exception.type"] = String(name);
    if (stack) attributes["exception.stacktrace"] = String(stack);
    return this.addEvent("exception", attributes, time);
  }

  updateName(name) {
    if (this.isRecording()) this.#tracer.store.wasm.update_name(this.#handle, this.#tracer.store.text(name));
    return this;
  }

  /** Ends the span; a second call does nothing. */
  end(time) {
    if (!this.isRecording()) return;
    this.#ended = true;
    this.#tracer.ended(this.#tracer.store.wasm.end(this.#handle, this.#time(time)));
  }

  /** The W3C header value that continues this trace elsewhere; empty only for a span that ended thousands of spans ago. */
  traceparent() {
    return this.#tracer.store.traceparent(this.#handle) ?? "";
  }

  spanContext() {
    const [, traceId = "0".repeat(32), spanId = "0".repeat(16), flags = "00"] = this.traceparent().split("-");
    return { traceId, spanId, traceFlags: parseInt(flags, 16) };
  }

  /** Adds `traceparent` to the headers of a request made by hand, unless they carry one; answers the headers. */
  inject(headers = {}) {
    const isHeaders = typeof headers.set === "function";
    const name = isHeaders || Object.keys(headers).find((key) => key.toLowerCase() === "traceparent");
    if (isHeaders && !headers.has("traceparent")) headers.set("traceparent", this.traceparent());
    else if (!name) headers.traceparent = this.traceparent();
    return headers;
  }

  /** Calls `fn` with this span active: spans and requests started in it, synchronously, become its children. */
  run(fn) {
    return this.#tracer.withActive(this, fn);
  }

  [Symbol.dispose ?? Symbol.for("Symbol.dispose")]() {
    this.end();
  }

  #time(time) {
    return time === undefined ? this.#tracer.clock.now() : this.#tracer.clock.at(time);
  }
}
