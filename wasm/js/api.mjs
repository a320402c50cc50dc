/**
 * Makes us the provider of `@opentelemetry/api`, so that whatever is instrumented with it records through us: its tracers, its context and
 * its propagation of `traceparent`, `tracestate` and nothing else.
 */

import { ROOT_CONTEXT, context, createTraceState, propagation, trace } from "@opentelemetry/api";

import { activeSpan, withActive } from "./context.mjs";
import { startSpan } from "./tracer.mjs";

/** Set by `suppressTracing` of `@opentelemetry/core`, for requests of exporters. */
const SUPPRESSED = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

/** A time of the API: a `Date`, epoch milliseconds, milliseconds since the page began, or `[seconds, nanoseconds]`. */
function timeOf(time) {
  if (Array.isArray(time)) return time[0] * 1000 + time[1] / 1e6;
  if (typeof time === "number" && time < performance.timeOrigin) return performance.timeOrigin + time;
  return time;
}

/** Whether an argument that may be left out is a time. */
const isTime = (value) => typeof value === "number" || value instanceof Date || Array.isArray(value);

/** A span of ours, as the API wants it. */
class ApiSpan {
  constructor(inner, traceState) {
    this.inner = inner;
    this.traceState = traceState;
  }
  spanContext() {
    return { ...this.inner.spanContext(), traceState: this.traceState };
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
  setStatus(status) {
    this.inner.setStatus(status);
    return this;
  }
  updateName(name) {
    this.inner.updateName(name);
    return this;
  }
  end(time) {
    this.inner.end(timeOf(time));
  }
  recordException(exception, time) {
    this.inner.recordException(exception, timeOf(time));
  }
}

/** The span in one of the API's contexts, as we take it for a parent: ours, one that is only a context, or none. */
const spanIn = (around) => {
  const span = trace.getSpan(around);
  return span instanceof ApiSpan ? span.inner : span;
};

const tracer = {
  startSpan(name, { root, kind, attributes, links, startTime } = {}, around = context.active()) {
    if (around.getValue(SUPPRESSED)) return trace.wrapSpanContext({ traceId: "0".repeat(32), spanId: "0".repeat(16), traceFlags: 0 });
    const parent = (!root && spanIn(around)) || null;
    const inner = startSpan(name, { parent, kind, attributes, links, startTime: timeOf(startTime) });
    return new ApiSpan(inner, parent ? trace.getSpanContext(around).traceState : undefined);
  },
  startActiveSpan(name, ...rest) {
    const fn = rest.pop();
    const [options, around = context.active()] = rest;
    const span = this.startSpan(name, options, around);
    return context.with(trace.setSpan(around, span), fn, undefined, span);
  },
};

/** Where the host cannot follow a promise. */
class Stack {
  #current;
  getStore() {
    return this.#current;
  }
  run(value, fn) {
    const outer = this.#current;
    this.#current = value;
    try {
      return fn();
    } finally {
      this.#current = outer;
    }
  }
}

/** The API's contexts, kept beside our active span: each side sees what the other made active last. */
const manager = (store) => ({
  active() {
    const around = store.getStore() ?? ROOT_CONTEXT;
    const ours = activeSpan();
    if (ours === spanIn(around)) return around;
    return ours ? trace.setSpan(around, new ApiSpan(ours)) : trace.deleteSpan(around);
  },
  with: (around, fn, receiver, ...args) => store.run(around, () => withActive(spanIn(around), () => fn.apply(receiver, args))),
  bind(around, target) {
    if (typeof target !== "function") return target;
    const { with: run } = this;
    return function (...args) {
      return run(around, target, this, ...args);
    };
  },
  enable() {
    return this;
  },
  disable() {
    return this;
  },
});

/** `traceparent` and `tracestate`; whether a header is valid is decided when a span starts below it. */
const propagator = {
  inject(around, carrier, setter) {
    const found = trace.getSpanContext(around);
    if (!found || around.getValue(SUPPRESSED)) return;
    const { traceId, spanId, traceFlags, traceState } = found;
    setter.set(carrier, "traceparent", `00-${traceId}-${spanId}-${(traceFlags & 255).toString(16).padStart(2, "0")}`);
    const state = traceState?.serialize();
    if (state) setter.set(carrier, "tracestate", state);
  },
  extract(around, carrier, getter) {
    const one = (name) => [getter.get(carrier, name)].flat();
    const [text, ...others] = one("traceparent");
    const match = others.length ? null : /^[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-|$)/.exec(text ?? "");
    if (!match) return around;
    const [, traceId, spanId, flags] = match;
    const state = one("tracestate").filter(Boolean).join(",");
    return trace.setSpanContext(around, {
      traceId,
      spanId,
      traceFlags: parseInt(flags, 16),
      isRemote: true,
      traceState: state ? createTraceState(state) : undefined,
    });
  },
  fields: () => ["traceparent", "tracestate"],
};

/** The instrumentation, for `init`'s list. `store` follows contexts through promises, where the host has such a thing. */
export const provideApi = (store = new Stack()) => () => {
  trace.setGlobalTracerProvider({ getTracer: () => tracer });
  context.setGlobalContextManager(manager(store));
  propagation.setGlobalPropagator(propagator);
  return () => {
    trace.disable();
    context.disable();
    propagation.disable();
  };
};
