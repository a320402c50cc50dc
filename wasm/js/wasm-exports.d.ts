/**
 * The contract between the hand-owned JavaScript and the wasm module: what each export takes and answers.
 *
 * Only numbers cross. Texts and lists are first written into the scratch buffer as UTF-8; a `length` argument says how much of it
 * counts. The Rust side is `wasm/src/exports.rs`; a change here is a change there.
 *
 * Words used below:
 * - Handle: 0 is none; bit 0 is set when the span records. Bits above name a place and its generation, so a handle whose place was
 *   given to somebody else is harmless: the call does nothing and is counted.
 * - Text: below `TEXT` (65536) the id of an interned text; otherwise `TEXT + length`, and the text stands at the start of the scratch
 *   buffer. A call that takes a `Text` and a `length` finds the second part right behind the first, or at the start if the first is an id.
 * - Time: nanoseconds since the anchor, as a double (exact to the nanosecond for 104 days). NaN: not known yet.
 * - List: entries of `tag u8, key length u16, value length u16, key, value`, little-endian. Tags: 0 empty, 1 text, 2 integer (f64),
 *   3 double (f64), 4 boolean (u8), 5 array (a List whose keys are empty), 255 a value without an OTLP form, to be counted as dropped.
 */
export interface WasmExports {
  memory: WebAssembly.Memory;
  /** Where the scratch buffer begins, and its size in bytes. */
  scratch(): number;
  scratch_size(): number;

  /** 128 bits from the host's random source; before the first span. */
  seed(a: number, b: number, c: number, d: number): void;
  /** The moment that times count from, in Unix seconds and nanoseconds; before the first span. */
  anchor(seconds: number, nanoseconds: number): void;
  /** The resource (a List) and the share of new traces to sample. 0: too large or malformed, 1: taken. */
  configure(length: number, ratio: number): number;
  /** Keeps a text for good. A number below `TEXT`, or -1 when the table is full or the text too long. */
  intern(length: number): number;

  /** Starts a span below `parent` (0: a new trace). `kind` is OTLP's number. */
  span_start(name: Text, kind: number, parent: Handle, start: Time): Handle;
  /** The same below the traceparent that stands behind the name; a malformed one starts a new trace and is counted. */
  span_start_remote(name: Text, kind: number, length: number, start: Time): Handle;
  /** Gives the start time that was NaN at the start. */
  set_start(span: Handle, start: Time): void;
  update_name(span: Handle, name: Text): void;

  set_str(span: Handle, key: Text, length: number): void;
  set_i64(span: Handle, key: Text, value: number): void;
  set_f64(span: Handle, key: Text, value: number): void;
  set_bool(span: Handle, key: Text, value: number): void;
  /** An array value: a List whose keys are empty. */
  set_array(span: Handle, key: Text, length: number): void;
  /** Counts an attribute whose value has no OTLP form as dropped. */
  refuse_attribute(span: Handle): void;
  /** An event; its attributes are the List behind the name. */
  event(span: Handle, name: Text, length: number, time: Time): void;
  /** A link to the traceparent at the start of the scratch buffer (55 bytes); its attributes are the List behind it. */
  link(span: Handle, length: number): void;
  /** `code` is OTLP's number; the description is in the scratch buffer. */
  set_status(span: Handle, code: number, length: number): void;
  /** Ends the span. Answers the bytes now in the batch. */
  end(span: Handle, end: Time): number;
  /** Writes the 55 characters into the scratch buffer. Answers 55, or 0 when the span's place was given away long ago. */
  traceparent(span: Handle): number;

  /** Takes the oldest ended spans as one OTLP request of at most `max` bytes. Answers its length; 0: none, or none so small. */
  take(max: number): number;
  /** Where the request that `take` made begins; valid until the next call of any export. */
  request(): number;
  /** How many spans it holds. */
  request_spans(): number;
  /** A count, by its number in `COUNTERS` of store.mjs. */
  counter(index: number): number;
}

type Handle = number;
type Text = number;
type Time = number;
