/**
 * Sends OTLP as JSON instead of protobuf, for collectors that want it. Three times the bytes; compressed, about the same. A page that is left
 * can hand over fewer spans at once.
 */

import { limitRequests, wrapSend } from "./transport.mjs";

/** The largest request before it becomes JSON, which is two to five times as long: what a page that is left may send is counted in bytes. */
const LARGEST = 12 * 1024;

const decoder = new TextDecoder();
const text = (bytes) => decoder.decode(bytes);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A field: its name in JSON, how its value is read, whether there may be several. */
const field = (name, read, many = false) => ({ name, read, many });
const message = (fields) => (bytes) => readMessage(bytes, fields);
const truth = (number) => number === 1n;
const signed = (number) => String(BigInt.asIntN(64, number));
const double = (number) => {
  const [value] = new Float64Array(new BigUint64Array([number]).buffer);
  // JSON has no words for these; OTLP/JSON follows protobuf's, which are texts.
  return Number.isFinite(value) ? value : String(value);
};

// opentelemetry-proto, common, resource and trace v1, by field numbers: those that this package writes.
const VALUE = {};
const KEY_VALUE = { 1: field("key", text), 2: field("value", message(VALUE)) };
Object.assign(VALUE, {
  1: field("stringValue", text),
  2: field("boolValue", truth),
  3: field("intValue", signed),
  4: field("doubleValue", double),
  5: field("arrayValue", message({ 1: field("values", message(VALUE), true) })),
});
const attributes = field("attributes", message(KEY_VALUE), true);
const dropped = field("droppedAttributesCount", Number);
const EVENT = { 1: field("timeUnixNano", String), 2: field("name", text), 3: attributes, 4: dropped };
const LINK = { 1: field("traceId", hex), 2: field("spanId", hex), 3: field("traceState", text), 4: attributes, 5: dropped, 6: field("flags", Number) };
const SPAN = {
  1: field("traceId", hex),
  2: field("spanId", hex),
  3: field("traceState", text),
  4: field("parentSpanId", hex),
  5: field("name", text),
  6: field("kind", Number),
  7: field("startTimeUnixNano", String),
  8: field("endTimeUnixNano", String),
  9: attributes,
  10: dropped,
  11: field("events", message(EVENT), true),
  12: field("droppedEventsCount", Number),
  13: field("links", message(LINK), true),
  14: field("droppedLinksCount", Number),
  15: field("status", message({ 2: field("message", text), 3: field("code", Number) })),
  16: field("flags", Number),
};
const SCOPE_SPANS = { 1: field("scope", message({ 1: field("name", text), 2: field("version", text) })), 2: field("spans", message(SPAN), true) };
const RESOURCE_SPANS = { 1: field("resource", message({ 1: attributes })), 2: field("scopeSpans", message(SCOPE_SPANS), true) };
const REQUEST = { 1: field("resourceSpans", message(RESOURCE_SPANS), true) };

function readMessage(bytes, fields) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const result = {};
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n, byte = 128; byte > 127; shift += 7n) {
      byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
    }
    return value;
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    let value;
    if ((tag & 7) === 0) value = varint();
    else if ((tag & 7) === 1) value = view.getBigUint64((at += 8) - 8, true);
    else if ((tag & 7) === 5) value = view.getUint32((at += 4) - 4, true);
    else {
      const length = Number(varint());
      value = bytes.subarray(at, (at += length));
    }
    const { name, read, many } = fields[tag >> 3];
    if (many) (result[name] ??= []).push(read(value));
    else result[name] = read(value);
  }
  return result;
}

/** An OTLP request of this package as OTLP/JSON (OTLP specification, "JSON Protobuf Encoding"). */
export const toJson = (bytes) => JSON.stringify(readMessage(bytes, REQUEST));

/** What a collector answers in JSON, as the bytes that the tracer reads: how many spans it refused. */
async function answered(response) {
  const body = await response.json().catch(() => undefined);
  let refused = Number(body?.partialSuccess?.rejectedSpans) || 0;
  const count = [];
  for (; refused > 127; refused = Math.floor(refused / 128)) count.push((refused % 128) + 128);
  count.push(refused);
  const bytes = new Uint8Array([10, count.length + 1, 8, ...count]);
  return { ok: response.ok, status: response.status, headers: response.headers, arrayBuffer: async () => bytes.buffer };
}

/** The instrumentation, for `init`'s list. */
export const sendJson = () => () => {
  limitRequests(LARGEST);
  wrapSend((send) => (address, init) => {
    const { "content-encoding": encoding, ...headers } = init.headers;
    // Compressed before it came here: then it leaves as it would without.
    const body = new TextEncoder().encode(toJson(encoding ? init.request.bytes : init.body));
    const answer = send.call(globalThis, address, { ...init, body, headers: { ...headers, "content-type": "application/json" } });
    return answer?.then ? answer.then(answered) : answer;
  });
};
