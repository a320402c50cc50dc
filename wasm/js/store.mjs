/** The wasm module's face in JavaScript: compiles it, writes texts and lists into its scratch buffer, reads its answers. */

import { wasmBytes } from "./wasm.mjs";

/** Numbers at and above this are texts in the scratch buffer instead of ids (see wasm-exports.d.ts). */
const TEXT = 0x10000;
/** Texts longer than this are shortened before they are written; the core's own limit is 2048 characters, so it always decides. */
const LONGEST = 4096;
/** Up to this length a loop beats `encodeInto`, which pays for a call into the browser. */
const SHORT = 48;

/** The order of the module's counts: `Counter` in wasm/src/store.rs. */
const COUNTERS = [
  "started",
  "notSampled",
  "ended",
  "live",
  "batched",
  "abandoned",
  "batchFull",
  "staleHandles",
  "malformedParents",
];

/** The elements of an array as entries of a List. */
const elements = (array) => array.map((element) => ["", element]);

let compiled;

/** Compiles once, synchronously. A page whose policy forbids this gets a sentence instead of an engine's error. */
function instantiate() {
  try {
    compiled ??= new WebAssembly.Module(wasmBytes());
    // Helpers of wasm-bindgen that the module carries but never calls; build.mjs sees to it that there are no others.
    const imports = {};
    for (const { module, name } of WebAssembly.Module.imports(compiled)) (imports[module] ??= {})[name] = () => {};
    return new WebAssembly.Instance(compiled, imports).exports;
  } catch (cause) {
    throw new Error("clewline: this page cannot run WebAssembly; its Content-Security-Policy needs 'wasm-unsafe-eval' in script-src", { cause });
  }
}

export class Store {
  /** The exports. Copied, because an object of the engine's own kind is slower to look up in. */
  wasm = { ...instantiate() };
  #scratch = new Uint8Array(this.wasm.memory.buffer, this.wasm.scratch(), this.wasm.scratch_size());
  #view = new DataView(this.wasm.memory.buffer, this.wasm.scratch(), this.wasm.scratch_size());
  #ids = new Map();
  #encoder = new TextEncoder();

  /** @throws {Error} if the resource does not fit */
  constructor(resource, ratio, anchor) {
    const seconds = Math.floor(anchor / 1000);
    this.wasm.seed(...crypto.getRandomValues(new Uint32Array(4)));
    this.wasm.anchor(seconds, (anchor - seconds * 1000) * 1e6);
    if (!this.wasm.configure(this.attributes(resource), ratio)) {
      throw new RangeError('clewline: init option "resource" is too large');
    }
  }

  /** Writes a text and answers its length in bytes. */
  write(text, at = 0) {
    const { length } = text;
    if (length <= SHORT) {
      let index = 0;
      for (; index < length; index++) {
        const code = text.charCodeAt(index);
        if (code > 0x7f) break;
        this.#scratch[at + index] = code;
      }
      if (index === length) return length;
    }
    const short = length > LONGEST ? text.slice(0, LONGEST) : text;
    return this.#encoder.encodeInto(short, this.#scratch.subarray(at)).written;
  }

  /** The `Text` for a name or key: known ones cost one look-up, and the table remembers the first few hundred. */
  text(text) {
    return this.#ids.get(text) ?? this.#intern(String(text));
  }

  #intern(text) {
    const length = this.write(text);
    const id = this.wasm.intern(length);
    if (id < 0) return TEXT + length;
    this.#ids.set(text, id);
    return id;
  }

  /** Where the part behind a `Text` begins. */
  behind(text) {
    return text < TEXT ? 0 : text - TEXT;
  }

  /** Sets one attribute on a recording span. `null` and `undefined` mean "not set"; other kinds of objects are counted as dropped. */
  set(span, name, value) {
    const key = this.text(name);
    switch (typeof value) {
      case "string":
        return this.wasm.set_str(span, key, this.write(value, this.behind(key)));
      case "number":
        return Number.isSafeInteger(value) ? this.wasm.set_i64(span, key, value) : this.wasm.set_f64(span, key, value);
      case "boolean":
        return this.wasm.set_bool(span, key, Number(value));
      case "undefined":
        return;
    }
    if (value === null) return;
    if (!Array.isArray(value)) return this.wasm.refuse_attribute(span);
    const at = this.behind(key);
    this.wasm.set_array(span, key, this.#list(elements(value), at) - at);
  }

  /** Writes attributes as a List and answers its length. */
  attributes(attributes, at = 0) {
    return this.#list(Object.entries(attributes ?? {}), at) - at;
  }

  /** Writes entries and answers where they end. What no longer fits becomes a mark that the module counts as dropped. */
  #list(entries, start) {
    let at = start;
    for (const [key, value] of entries) {
      const room = this.#scratch.length - at;
      if (room < 5) break;
      const fits = room > 10 * LONGEST;
      const keyLength = fits ? this.write(key, at + 5) : 0;
      const valueAt = at + 5 + keyLength;
      const [tag, valueLength] = fits ? this.#value(value, valueAt) : [255, 0];
      this.#scratch[at] = tag;
      this.#view.setUint16(at + 1, keyLength, true);
      this.#view.setUint16(at + 3, valueLength, true);
      at = valueAt + valueLength;
    }
    return at;
  }

  #value(value, at) {
    switch (typeof value) {
      case "string":
        return [1, this.write(value, at)];
      case "number":
        this.#view.setFloat64(at, value, true);
        return [Number.isSafeInteger(value) ? 2 : 3, 8];
      case "boolean":
        this.#scratch[at] = Number(value);
        return [4, 1];
    }
    if (value === null || value === undefined) return [0, 0];
    return Array.isArray(value) ? [5, this.#list(elements(value), at) - at] : [255, 0];
  }

  /** The 55 characters of a span's traceparent, or `undefined` when the span is long forgotten. */
  traceparent(span) {
    const length = this.wasm.traceparent(span);
    return length ? String.fromCharCode(...this.#scratch.subarray(0, length)) : undefined;
  }

  /** One request of at most `max` bytes with the oldest spans, copied out; `undefined` if there is none. */
  take(max) {
    const length = this.wasm.take(max);
    if (!length) return undefined;
    const start = this.wasm.request();
    return { bytes: new Uint8Array(this.wasm.memory.buffer.slice(start, start + length)), spans: this.wasm.request_spans() };
  }

  /** How many ended spans wait in the batch. */
  batched() {
    return this.wasm.counter(COUNTERS.indexOf("batched"));
  }

  /** All counts by name. */
  counters() {
    return Object.fromEntries(COUNTERS.map((name, index) => [name, this.wasm.counter(index)]));
  }
}
