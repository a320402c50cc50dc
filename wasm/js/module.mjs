/** The wasm module's face in JavaScript: makes an instance, writes what calls take, reads what they leave (see wasm-exports.d.ts). */

/** Distances from `state`, as `Store` in wasm/module/src/store.rs has them. */
const SEED = 48;
const RECORDS = 80;
const TEXTS = RECORDS + 0x10000;

/** Texts of one call stand from here on; before it is room for the `traceparent` that the module writes. */
const FIRST = 64;
/** No text of a call begins behind this, so that the longest one fits before the vocabulary. */
const LAST = 0x8000;
/** Names and keys that stay, up to the end of what a number can point to. */
const VOCABULARY = 0xc000;
const VOCABULARY_END = 0xfc00;
/** Longer ones are values or generated names, not a program's vocabulary. */
const LONGEST_WORD = 255;
/** Texts longer than this are shortened before they are written; the module's own limit is 2048 characters, so it always decides. */
const LONGEST = 4096;
/** Up to this length a loop beats `encodeInto`, which is a call into the engine. */
const SHORT = 48;

/** Attributes of one call; the elements of their arrays stand behind them. */
const MOST_RECORDS = 1024;
const LAST_ELEMENT = 2047;

/** The largest request: all keepalive requests of a page share 64 KiB (Fetch standard, "HTTP-network-or-cache fetch"), and some of
 * that is left to others. */
export const LARGEST = 0xf000;

/** The order of the module's counts, behind the place of a request and the number of its spans: `Counters` in store.rs. */
const COUNTS = "started notSampled live batched abandoned batchFull staleHandles malformedParents truncatedTexts".split(" ");

const encoder = new TextEncoder();

/** The exports of the instance in use. Copied, because an object of the engine's own kind is slower to look up in. */
export let wasm;
/** Views of the state: as counts and records, as the numbers in records, as texts. */
let words, doubles, bytes;
let known, vocabulary;
let at, elements;

/** From here on the exports of this instance are in use. */
export function openModule(instance) {
  wasm = { ...instance };
  const state = wasm.state.value;
  const { buffer } = wasm.memory;
  words = new Uint32Array(buffer, state);
  doubles = new Float64Array(buffer, state);
  bytes = new Uint8Array(buffer, state + TEXTS);
  known = new Map();
  vocabulary = VOCABULARY;
  crypto.getRandomValues(new Uint8Array(buffer, state + SEED, 15));
}

/** Every call that writes begins with this. */
export function begin() {
  at = FIRST;
  elements = MOST_RECORDS;
}

/** Writes a text at a place and answers its length in bytes. */
function put(text, place) {
  const { length } = text;
  if (length <= SHORT) {
    let index = 0;
    for (let code; index < length && (code = text.charCodeAt(index)) < 128; index++) bytes[place + index] = code;
    if (index === length) return length;
  }
  return encoder.encodeInto(length > LONGEST ? text.slice(0, LONGEST) : text, bytes.subarray(place)).written;
}

/** Writes a text for the next call; answers its number. */
export function write(text) {
  const number = (at << 14) | put(text, at);
  at += number & 0x3fff;
  return number;
}

/** The number of a name or key: known ones cost one look-up, and the first few hundred are kept. */
export const word = (text) => known.get(text) ?? learn(textOf(text));

/** Anything as text, even what refuses to become one. */
export function textOf(value) {
  try {
    return String(value);
  } catch {
    return typeof value;
  }
}

function learn(text) {
  if (text.length > LONGEST_WORD || vocabulary + 3 * LONGEST_WORD > VOCABULARY_END) return at > LAST ? 0 : write(text);
  const number = (vocabulary << 14) | put(text, vocabulary);
  vocabulary += number & 0x3fff;
  known.set(text, number);
  return number;
}

/** Writes one attribute or element as a record. What there is no room or no form for is marked, and the module counts it. */
export function record(index, key, value) {
  let kind = 255;
  let number = 0;
  if (typeof value === "string") {
    if (at <= LAST) {
      kind = 1;
      number = write(value);
    }
  } else if (typeof value === "number") {
    kind = Number.isSafeInteger(value) ? 2 : 3;
    number = value;
  } else if (typeof value === "boolean") {
    kind = 4;
    number = +value;
  } else if (value == null) {
    kind = 0;
  } else {
    try {
      const { length } = value;
      const first = elements;
      if (Array.isArray(value) && first + length <= LAST_ELEMENT) {
        elements += length;
        for (let each = 0; each < length; each++) record(first + each, 0, value[each]);
        kind = 5;
        number = (first << 14) | length;
      }
    } catch {
      // A proxy may refuse anything.
    }
  }
  const place = (RECORDS >> 2) + 4 * index;
  words[place] = key;
  words[place + 1] = kind;
  if (kind >> 1 === 1) doubles[(place >> 1) + 1] = number;
  else words[place + 2] = number;
}

/** For this package's other entries: records the `tracestate` of a span's context. */
export function recordTraceState(span, list) {
  begin();
  record(0, 0, list);
  words[(RECORDS >> 2) + 1] = 6;
  wasm.set(span, 1);
}

/** Writes attributes as a run of records and answers its number. `null` and `undefined` mean "not set". */
export function run(attributes) {
  let count = 0;
  for (const key in attributes) {
    const value = attributes[key];
    if (value != null && count < MOST_RECORDS) record(count++, word(key), value);
  }
  return count;
}

/** The `traceparent` of a span; one whose ids are zeros when the span is long forgotten. */
export const traceparentOf = (span) => (wasm.traceparent(span), String.fromCharCode(...bytes.subarray(0, 55)));

/** Memory of requests that are done: to get new memory takes longer than to fill it. */
const spare = [];

/** One request of at most `max` bytes, up to `LARGEST`, with the oldest spans, copied out; `undefined` if there is none. */
export function take(max) {
  const length = wasm.take(max);
  const [start, spans] = words;
  if (!length) return;
  const memory = spare.pop() ?? new Uint8Array(LARGEST);
  memory.set(new Uint8Array(wasm.memory.buffer, start, length));
  return { memory, bytes: memory.subarray(0, length), spans, attempts: 0 };
}

/** Gives the memory of a request back. */
export const done = ({ memory }) => spare.push(memory);

/** How many spans have not ended. */
export const live = () => words[4];

/** How many ended spans wait in the batch. */
export const batched = () => words[5];

/** All counts by name. */
export const counts = () => Object.fromEntries(COUNTS.map((name, index) => [name, words[2 + index]]));
