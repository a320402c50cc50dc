/**
 * Makes us the provider of `@opentelemetry/api`, so that whatever is instrumented with it records through us: its tracers, its contexts,
 * and its propagation of `traceparent`, `tracestate` and `baggage`.
 */

import { INVALID_SPAN_CONTEXT, context, propagation, trace } from "@opentelemetry/api";

import { Stack, contextManager, isSuppressed, spanIn, suppressed, wrapBy } from "./api-context.mjs";
import { propagator } from "./api-propagation.mjs";
import { keepContextIn } from "./context.mjs";
import { recordTraceState } from "./module.mjs";
import { handleOf } from "./span.mjs";
import { startSpan } from "./tracer.mjs";
import { wrapSend } from "./transport.mjs";

/** A time of the API: a `Date`, epoch milliseconds, milliseconds since the page began, or `[seconds, nanoseconds]`. */
function timeOf(time) {
  if (Array.isArray(time)) return time[0] * 1000 + time[1] / 1e6;
  if (typeof time === "number" && time < performance.timeOrigin) return performance.timeOrigin + time;
  return time ?? undefined;
}

/** Whether an argument that may be left out is a time. */
const isTime = (value) => typeof value === "number" || value instanceof Date || Array.isArray(value);

/** A span of ours, as the API wants it. */
class ApiSpan {
  #context;
  constructor(inner, traceState) {
    this.inner = inner;
    this.traceState = traceState;
  }
  spanContext() {
    return (this.#context ??= { ...this.inner.spanContext(), traceState: this.traceState });
  }
  isRecording() {
    return this.inner.isRecording();
  }
  setAttribute(key, value) {
    this.inner.setAttribute(key, value);
    return this;
  }
  setAttributes(attributes) {
    this.inner.setAttributes(attributes);
    return this;
  }
  addEvent(name, attributes, time) {
    if (isTime(attributes)) this.inner.addEvent(name, undefined, timeOf(attributes));
    else this.inner.addEvent(name, attributes, timeOf(time));
    return this;
  }
  addLink(link) {
    this.inner.addLink(link);
    return this;
  }
  addLinks(links) {
    for (const link of links) this.inner.addLink(link);
    return this;
  }
  setStatus({ code, message }) {
    this.inner.setStatus({ code, message: message == null ? "" : String(message) });
    return this;
  }
  updateName(name) {
    this.inner.updateName(name);
    return this;
  }
  end(time) {
    // Our own contexts are forgotten some thousand spans later, the API's never.
    this.spanContext();
    this.inner.end(timeOf(time));
  }
  recordException(exception, time) {
    this.inner.recordException(exception, timeOf(time));
  }
}

/** The same span is the same object, whichever way it is reached. */
const wrapped = new WeakMap();
wrapBy((inner) => {
  let span = wrapped.get(inner);
  if (!span) wrapped.set(inner, (span = new ApiSpan(inner)));
  return span;
});

const nothing = () => trace.wrapSpanContext(INVALID_SPAN_CONTEXT);

/** A tracer of the API. All spans leave in one scope, so its own is an attribute, as OpenTelemetry says for such formats. */
class ApiTracer {
  constructor(provider, name, version) {
    this.provider = provider;
    this.scope = { "otel.scope.name": name || undefined, "otel.scope.version": version };
  }
  startSpan(name, options, around = context.active()) {
    if (!this.provider.on || isSuppressed(around)) return nothing();
    const { root, kind, attributes, links, startTime } = options ?? {};
    const parent = (!root && spanIn(around)) || null;
    const inner = startSpan(name, { parent, kind, attributes, links, startTime: timeOf(startTime) });
    const traceState = parent ? trace.getSpanContext(around).traceState : undefined;
    if (traceState && inner.isRecording()) recordTraceState(handleOf(inner), traceState.serialize());
    const span = new ApiSpan(inner, traceState);
    wrapped.set(inner, span);
    inner.setAttributes(this.scope);
    return span;
  }
  startActiveSpan(name, ...rest) {
    const fn = rest.pop();
    const [options, around = context.active()] = rest;
    const span = this.startSpan(name, options, around);
    return context.with(trace.setSpan(around, span), fn, undefined, span);
  }
}

/** Registers one part after the other; where somebody was first, those that are registered already are taken back. */
function register(provider, manager) {
  const parts = [
    ["trace", () => trace.setGlobalTracerProvider(provider), trace],
    ["context", () => context.setGlobalContextManager(manager), context],
    ["propagation", () => propagation.setGlobalPropagator(propagator), propagation],
  ];
  const done = [];
  const undo = () => done.splice(0).forEach((part) => part.disable());
  for (const [name, set, part] of parts) {
    if (set()) done.push(part);
    else {
      undo();
      throw new Error(`clewline: @opentelemetry/api has another provider already; call its ${name}.disable() before init()`);
    }
  }
  return undo;
}

/**
 * The instrumentation, for `init`'s list. `store` follows contexts through promises, where the host has such a thing; `bindEmitter` makes
 * the listeners of an event emitter run in a context.
 */
export const provideApi = (store = new Stack(), bindEmitter) => () => {
  const provider = { on: true, getTracer: (name, version) => new ApiTracer(provider, name, version) };
  const { manager, kept } = contextManager(store, bindEmitter);
  const undo = register(provider, manager);
  const before = keepContextIn(kept);
  // Whatever instruments `fetch` by the API shall not see our own requests.
  wrapSend((send) => (...args) => store.run(suppressed, () => send.apply(globalThis, args)));
  return () => {
    provider.on = false;
    keepContextIn(before);
    undo();
  };
};
