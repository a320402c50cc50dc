/** Contexts of `@opentelemetry/api`, and our active span as a part of them: each side sees what the other made active. */

import { ROOT_CONTEXT, isSpanContextValid, trace } from "@opentelemetry/api";

import { activeHere } from "./context.mjs";
import { Span } from "./span.mjs";

/** Set by `suppressTracing` of `@opentelemetry/core`, where a request of an exporter is made. */
const SUPPRESSED = Symbol.for("OpenTelemetry SDK Context Key SUPPRESS_TRACING");

export const isSuppressed = (around) => around.getValue(SUPPRESSED) === true;
/** A context in which nothing is traced. */
export const suppressed = ROOT_CONTEXT.setValue(SUPPRESSED, true);

/** Makes the API's span of one of ours. */
let wrap;
export const wrapBy = (given) => (wrap = given);

/** A span that is somebody else's, or was extracted from headers: a context and nothing more. */
class ForeignSpan extends Span {
  #text;
  constructor(span, flags) {
    super(0, 0);
    this.span = span;
    const { traceId, spanId, traceFlags } = span.spanContext();
    this.#text = `00-${traceId}-${spanId}-${((flags ?? traceFlags) & 3).toString(16).padStart(2, "0")}`;
  }
  traceparent() {
    return this.#text;
  }
}

const foreign = new WeakMap();

/** The span in one of the API's contexts as one of ours: a new trace for one without a valid context. */
export function spanIn(around) {
  const span = trace.getSpan(around);
  if (!span || span.inner) return span?.inner;
  if (!isSpanContextValid(span.spanContext())) return;
  let found = foreign.get(span);
  if (!found) foreign.set(span, (found = new ForeignSpan(span)));
  return found;
}

const hex = (length) => Array.from(crypto.getRandomValues(new Uint8Array(length)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Below this one nothing is recorded: what somebody suppressed is suppressed for our own instrumentations as well. */
function silent(around) {
  const span = trace.getSpan(around) ?? trace.wrapSpanContext({ traceId: hex(16), spanId: hex(8), traceFlags: 0 });
  return new ForeignSpan(span, 0);
}

/** For hosts that cannot follow a promise: holds as far as synchronous code reaches. */
export class Stack {
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

/** The API's context manager above a store, and what `keepContextIn` takes to have our active span in the same store. */
export function contextManager(store, bindEmitter) {
  /** Without any context of the API, what our own instrumentations made active counts. */
  function active() {
    const around = store.getStore();
    if (around) return around;
    const ours = activeHere();
    return ours ? trace.setSpan(ROOT_CONTEXT, wrap(ours)) : ROOT_CONTEXT;
  }

  const manager = {
    active,
    with: (around, fn, receiver, ...args) => store.run(around, () => fn.apply(receiver, args)),
    bind(around, target) {
      if (typeof target === "function") return bindFunction(around, target);
      return (target && typeof target.on === "function" && bindEmitter?.(target, (listener) => bindFunction(around, listener))) || target;
    },
    enable: () => manager,
    disable: () => manager,
  };
  function bindFunction(around, target) {
    const bound = function (...args) {
      return store.run(around, () => target.apply(this, args));
    };
    // Libraries look at how many parameters a callback has.
    return Object.defineProperty(bound, "length", { value: target.length, configurable: true });
  }

  const kept = {
    get() {
      const around = store.getStore();
      if (!around) return activeHere();
      return isSuppressed(around) ? silent(around) : spanIn(around);
    },
    run(span, fn, ...args) {
      const around = active();
      const inner = !span ? trace.deleteSpan(around) : trace.setSpan(around, span.span ?? wrap(span));
      return store.run(inner, () => fn(...args));
    },
  };
  return { manager, kept };
}
