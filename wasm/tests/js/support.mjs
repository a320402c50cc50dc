/** What the tests share: the built package, a decoder of OTLP requests that is not ours, and a stand-in for a page. */

import { existsSync } from "node:fs";

export const DIST = new URL("../../dist/", import.meta.url);
if (!existsSync(new URL("index.mjs", DIST))) throw new Error("wasm/dist is missing: run `cargo xtask npm` first");

export const load = (name) => import(new URL(name, DIST));

/** The fields of a protobuf message: `[number, value]`, where the value is a BigInt or bytes. */
function fields(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const key = Number(varint());
    const type = key & 7;
    let value;
    if (type === 0) value = varint();
    else if (type === 1) (value = view.getBigUint64(at, true)), (at += 8);
    else if (type === 5) (value = BigInt(view.getUint32(at, true))), (at += 4);
    else if (type === 2) {
      const length = Number(varint());
      value = bytes.subarray(at, at + length);
      at += length;
    } else throw new Error(`wire type ${type} at byte ${at}`);
    if (at > bytes.length) throw new Error("the message ends within a field");
    found.push([key >> 3, value]);
  }
  return found;
}

const text = (bytes) => new TextDecoder("utf-8", { fatal: true }).decode(bytes);
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const all = (message, number) => fields(message).flatMap(([found, value]) => (found === number ? [value] : []));
const last = (message, number) => all(message, number).at(-1);
const count = (message, number) => Number(last(message, number) ?? 0n);

function anyValue(message) {
  const [field] = fields(message);
  if (!field) return null;
  const [number, value] = field;
  if (number === 1) return text(value);
  if (number === 2) return value === 1n;
  if (number === 3) return { int: Number(BigInt.asIntN(64, value)) };
  if (number === 4) return new Float64Array(new BigUint64Array([value]).buffer)[0];
  if (number === 5) return all(value, 1).map(anyValue);
  throw new Error(`value of kind ${number}`);
}

const attributes = (message, number) =>
  Object.fromEntries(all(message, number).map((entry) => [text(last(entry, 1)), anyValue(last(entry, 2) ?? new Uint8Array())]));

function span(message) {
  return {
    traceId: hex(last(message, 1)),
    spanId: hex(last(message, 2)),
    traceState: text(last(message, 3)),
    parentSpanId: hex(last(message, 4) ?? []),
    name: text(last(message, 5)),
    kind: count(message, 6),
    start: last(message, 7),
    end: last(message, 8),
    attributes: attributes(message, 9),
    droppedAttributes: count(message, 10),
    events: all(message, 11).map((event) => ({
      time: last(event, 1),
      name: text(last(event, 2)),
      attributes: attributes(event, 3),
      droppedAttributes: count(event, 4),
    })),
    droppedEvents: count(message, 12),
    links: all(message, 13).map((link) => ({ traceId: hex(last(link, 1)), spanId: hex(last(link, 2)), attributes: attributes(link, 4) })),
    // A message may come in parts, which a reader merges.
    status: { message: all(message, 15).map((part) => text(last(part, 2) ?? new Uint8Array())).join(""), code: Math.max(0, ...all(message, 15).map((part) => count(part, 3))) },
  };
}

/** An ExportTraceServiceRequest as plain objects. Integers are `{ int }`, so that a double is told apart. */
export function decode(bytes) {
  const groups = all(new Uint8Array(bytes), 1);
  return {
    resource: attributes(last(groups[0], 1), 1),
    spans: groups.flatMap((group) => all(group, 2)).flatMap((scope) => all(scope, 2)).map(span),
  };
}

/** A fetch that keeps what it was given. `respond(url, request)` answers a Response or throws; the default is 200. */
export function recordingFetch(respond = () => new Response()) {
  const calls = [];
  const fetch = async (input, init) => {
    const request = new Request(input instanceof Request ? input : new URL(input, globalThis.location?.href), init);
    const call = { url: request.url, headers: request.headers, method: request.method, init, request };
    calls.push(call);
    if (request.url.endsWith("/v1/traces")) call.bytes = new Uint8Array(await request.clone().arrayBuffer());
    return respond(request.url, request);
  };
  const exports = () => calls.filter((call) => call.bytes?.length).map((call) => ({ ...call, decoded: decode(call.bytes) }));
  return { fetch, calls, exports, spans: () => exports().flatMap((call) => call.decoded.spans) };
}

/** Puts properties on the global object for one test. */
export function withGlobals(test, globals) {
  for (const [name, value] of Object.entries(globals)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
    test.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]));
  }
}

/** Starts a tracer for one test, on a recording fetch that is instrumented; shut down when the test ends. */
export async function start(test, options = {}, respond) {
  const network = recordingFetch(respond);
  withGlobals(test, { fetch: network.fetch });
  const [{ init }, { traceFetch }] = await Promise.all([load("index.mjs"), load("fetch.mjs")]);
  const { propagateTo, recordQuery, ...others } = options;
  const instrumentations = [traceFetch({ propagateTo, recordQuery })];
  const tracer = init({ serviceName: "test", endpoint: "http://collector.test", instrumentations, ...others });
  // Not awaited: some tests leave requests unanswered.
  test.after(() => void tracer.shutdown());
  return { tracer, network, patched: globalThis.fetch };
}

/** Waits until something is so, for a minute at most. */
export async function until(what, isSo) {
  for (const deadline = Date.now() + 60_000; !isSo(); await new Promise((resolve) => setTimeout(resolve, 2))) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
  }
}

/** Spans that ended and have not arrived anywhere. */
export const pending = (tracer) => tracer.stats().batched + tracer.stats().waiting;

/** The ledger: every span that was started is somewhere. */
export const balance = ({ live, batched, waiting, delivered, rejected, abandoned, batchFull, undelivered }) =>
  live + batched + waiting + delivered + rejected + abandoned + batchFull + undelivered;
