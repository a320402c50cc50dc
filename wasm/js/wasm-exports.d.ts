/**
 * The contract between the hand-owned JavaScript and the wasm module: what each export takes and leaves.
 *
 * Only numbers cross. The Rust side is `wasm/module/src`, first of all `store.rs` and `records.rs`; a change here is a change there.
 * In the package all but `memory` are called `a`, `b`, `c` and so on, in this order: build.mjs puts that into the module and the scripts.
 *
 * Words used below:
 * - Handle: 0 is none; bit 0 is set when the span records. Bits above are the number of the start, so a handle whose place was given to
 *   somebody else is harmless: the call does nothing and is counted.
 * - Text: `place << 14 | length`; UTF-8 in the text memory, written before the call. Words that are used again stay where they are.
 * - Run: `first << 14 | count`; records in the record memory, each of key (Text, 4 bytes), kind (4 bytes: 0 empty, 1 text, 2 integer,
 *   3 double, 4 boolean, 5 array, 6 no attribute but the tracestate, others: without OTLP form) and value (integers and doubles as a double in 8 bytes; 0 or 1, the Text,
 *   or the Run of elements in the first 4 of them).
 * - Time: nanoseconds since the anchor, as a double (exact to the nanosecond for 104 days).
 */
export interface WasmExports {
  memory: WebAssembly.Memory;
  /**
   * Where the state begins: at 0 the place of a request and the number of its spans, and behind them the counts; at 48 the seed; at 80 the
   * records; at 80 + 65536 the texts.
   */
  state: WebAssembly.Global;

  /**
   * Begins: with the resource, the share of new traces to sample, and what times count from, in whole Unix milliseconds. The seed, 120
   * bits from the host's random source, stands in the state. 0: the resource does not fit or has an attribute without OTLP form.
   */
  configure(resource: Run, ratio: number, anchor: number): 0 | 1;

  /** Starts a span below `parent`, or below the traceparent `remote`; 0 and 0: a new trace. `kind` is OTLP's number. */
  start(name: Text, kind: number, parent: Handle, remote: Text): Handle;
  /** Sets attributes; a key that is there already gets the new value. */
  set(span: Handle, attributes: Run): void;
  rename(span: Handle, name: Text): void;
  /** `code` is OTLP's number. */
  status(span: Handle, code: number, message: Text): void;
  event(span: Handle, name: Text, time: Time, attributes: Run): void;
  /** A link to a traceparent; one that is malformed is left out and counted. */
  link(span: Handle, context: Text, attributes: Run): void;
  /** Ends the span, or abandons it if bit 31 of its handle is set. Answers the bytes of spans now in the batch. */
  end(span: Handle, start: Time, end: Time): number;
  /** Writes the 55 characters to the front of the texts; with ids of zeros if the span's place was given away long ago. */
  traceparent(span: Handle): void;

  /**
   * Takes the oldest ended spans as one OTLP request of at most `max` bytes. Answers its length; 0: none, or none so small. Where it begins
   * is in the state, and valid until the next call of any export.
   */
  take(max: number): number;
}

type Handle = number;
type Text = number;
type Run = number;
type Time = number;
