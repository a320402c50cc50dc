/** `Tracer`: starts spans, keeps the active one and answers what became of them. */

import { Clock } from "./clock.mjs";
import { instrumentFetch } from "./fetch.mjs";
import { Span, handleOf, traceparentOf } from "./span.mjs";
import { Store } from "./store.mjs";
import { Transport } from "./transport.mjs";

const NONE = Object.freeze({});

/** What the public `Tracer` and its spans share; not exported from the package. */
class Shared {
  clock = new Clock();
  store;
  transport;
  active;
  always;

  constructor(options, fetch) {
    this.store = new Store({ "service.name": options.serviceName, ...options.resource }, options.sampleRatio, this.clock.anchor);
    this.transport = new Transport(options, this.store, this.clock, fetch);
    this.always = options.sampleRatio === 1;
  }

  /** The time for a start. After a pause the clock is compared first: the computer may have slept. */
  now() {
    if (this.transport.idle) this.clock.check();
    return this.clock.now();
  }

  ended(bytes) {
    this.transport.ended(bytes);
  }

  withActive(span, fn) {
    const outer = this.active;
    this.active = span;
    try {
      return fn(span);
    } finally {
      this.active = outer;
    }
  }
}

export class Tracer {
  #shared;
  #undo = [];

  /** Made by `init`, with options that were checked; `released` is called when the tracer shuts down. */
  constructor(options, released) {
    const { fetch } = globalThis;
    this.#shared = new Shared(options, fetch);
    this.#undo.push(released, () => this.#shared.transport.stop());
    if (options.instrumentFetch && fetch) this.#undo.push(instrumentFetch(this, options));
    this.#listen("visibilitychange", globalThis.document, () => {
      if (document.visibilityState === "hidden") this.#shared.transport.flushBeforeLeaving();
      else this.#shared.clock.check();
    });
    this.#listen("pagehide", globalThis.window, () => this.#shared.transport.flushBeforeLeaving());
    this.#listen("pageshow", globalThis.window, () => this.#shared.clock.check());
  }

  #listen(type, target, listener) {
    target?.addEventListener(type, listener);
    this.#undo.push(() => target?.removeEventListener(type, listener));
  }

  startSpan(name, options = NONE) {
    const shared = this.#shared;
    const { store, clock } = shared;
    const parent = options.parent === undefined ? shared.active : options.parent;
    const above = handleOf(parent, shared);

    // A span that will probably not record does not read the clock; if it does record, it gets its time a moment later.
    let start = NaN;
    if (options.startTime !== undefined) start = clock.at(options.startTime);
    else if (above ? above & 1 : shared.always) start = shared.now();

    const text = store.text(name);
    const kind = (options.kind ?? 0) + 1;
    let handle;
    if (above || !parent) {
      handle = store.wasm.span_start(text, kind, above, start);
    } else {
      const length = store.write(traceparentOf(parent), store.behind(text));
      handle = store.wasm.span_start_remote(text, kind, length, start);
    }
    if (start !== start && handle & 1) store.wasm.set_start(handle, shared.now());

    const span = new Span(shared, handle);
    if (options.attributes) span.setAttributes(options.attributes);
    if (options.links) for (const link of options.links) span.addLink(link);
    return span;
  }

  startActiveSpan(name, options, fn) {
    const [given, callback] = typeof options === "function" ? [NONE, options] : [options, fn];
    return this.#shared.withActive(this.startSpan(name, given), callback);
  }

  activeSpan() {
    return this.#shared.active;
  }

  inject(headers = {}) {
    return this.#shared.active ? this.#shared.active.inject(headers) : headers;
  }

  flush() {
    return this.#shared.transport.flush();
  }

  stats() {
    const { live, batched, abandoned, batchFull, ...counts } = this.#shared.store.counters();
    const { waiting, undelivered, ...outcomes } = this.#shared.transport.stats();
    const dropped = { abandoned, batchFull, undelivered };
    return { ...counts, ...outcomes, live, pending: batched + waiting, dropped };
  }

  async shutdown() {
    for (const undo of this.#undo.splice(0).reverse()) undo();
    await this.flush();
  }
}
