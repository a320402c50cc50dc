/** Sends ended spans to the collector: in batches, within the budget of a leaving page, with bounded retry, and counts every outcome. */

import { checkClock } from "./clock.mjs";
import { LARGEST, batched, done, take } from "./module.mjs";

/** A batch of so many bytes is sent at once instead of after the interval. */
const FULL = 32 * 1024;
const TIMEOUT = 10_000;
const ATTEMPTS = 5;

let options, send, running;
let timer, soon;
/** Before this moment (`Date.now()`) the server is left alone, unless the page leaves or somebody asks for a flush. */
let notBefore;
/** Requests that failed and may be sent again, oldest first. Bounded: one from the loop, and one keepalive budget. */
let waiting;
let keepaliveBytes;
/** Spans in requests that are on their way or waiting. */
let unsettled;
/** What became of the spans that left the module. */
let ledger;

/** What happens to a request that was attempted often enough. */
let giveUp = ({ spans }) => (ledger.undelivered += spans);

/** From here on spans are sent as the options say, by the `fetch` that was there before any instrumentation. */
export function openTransport(given) {
  options = given;
  send = globalThis.fetch;
  waiting = [];
  running = undefined;
  timer = soon = notBefore = keepaliveBytes = unsettled = 0;
  ledger = { delivered: 0, rejected: 0, undelivered: 0 };
}

/** Whether a request to this address is one of ours, or of another copy's. */
export const isExport = (address) => address.startsWith(options.endpoint);

/** Whether nothing is planned: a good moment to compare clocks. */
export const idle = () => !timer && !running;

/** A span ended and the batch now holds so many bytes. */
export const spanEnded = (bytes) => schedule(bytes >= FULL);

/** Tries once to deliver everything there is; what fails is kept and sent later. */
export async function flush() {
  await running;
  await pump(true);
}

/** The page may be gone in a moment: hand over as much as the keepalive budget allows, now, oldest first. */
export function flushBeforeLeaving() {
  let request;
  while ((request = next(Math.max(0, LARGEST - keepaliveBytes)))) void deliver(request);
}

/** No more timers; `flush` still works. */
export function stopTransport() {
  clearTimeout(timer);
  // As if there were one: no other is set.
  timer = soon = true;
}

/** What became of the spans that left the module. */
export const outcomes = () => ({ ...ledger, waiting: unsettled });

/** Sees to it that a batch leaves: after the interval, or as soon as this task is done. */
function schedule(now) {
  if (running || (timer && (soon || !now))) return;
  clearTimeout(timer);
  soon = now;
  timer = setTimeout(() => {
    timer = 0;
    void pump();
  }, Math.max(now ? 0 : options.flushInterval, notBefore - Date.now()));
  // Node: waiting spans do not keep a process alive; `shutdown` delivers them.
  timer.unref?.();
}

const pump = (all) => (running ??= pumping(all));

/** One request after the other: all there are, or while they are full and the server takes them. */
async function pumping(all) {
  // From here on `running` is set.
  await 0;
  try {
    checkClock();
    let request;
    while ((request = next(LARGEST)) && (await deliver(request)) && (all || request.bytes.length >= FULL));
  } finally {
    // Whatever went wrong here must not keep later spans from leaving.
    running = undefined;
  }
  if (waiting.length || batched()) schedule();
}

/** For this package's other entries: changes how requests are sent, and what happens to one that was attempted often enough. */
export const wrapSend = (wrap) => (send = wrap(send));
export const giveUpBy = (given) => (giveUp = given);

/** Counts spans under a name, as `stats` shows it. */
export const count = (name, spans) => (ledger[name] = (ledger[name] ?? 0) + spans);

/** Takes a request of spans that another page recorded. */
export function adopt(request) {
  unsettled += request.spans;
  waiting.push(request);
  schedule();
}

/** Takes a request that is new here, and sends it soon. */
export function enqueue(request) {
  waiting.push(request);
  schedule(true);
}

/** From here on ended spans wait so many milliseconds for others. */
export const hurry = (interval) => (options.flushInterval = interval);

/** A request that `next` answered is somebody else's from here on. */
export function release(request) {
  if (request.attempts) unsettled -= request.spans;
  done(request);
}

/** The address to which spans go. */
export const endpoint = () => options.endpoint;

/** The oldest request of at most `max` bytes: one that waits, or a new one. */
export function next(max) {
  const index = waiting.findIndex(({ bytes }) => bytes.length <= max);
  return index < 0 ? take(max) : waiting.splice(index, 1)[0];
}

/** Hands a request to the browser, which ignores how many spans are in it. */
export const dispatch = ({ bytes, spans }, more) =>
  send.call(globalThis, options.endpoint, {
    method: "POST",
    headers: { ...options.headers, "content-type": "application/x-protobuf" },
    body: bytes,
    spans,
    ...more,
  });

/** Sends one request. Answers whether it is settled; if not, it waits among the others. */
export async function deliver(request) {
  const { bytes, spans } = request;
  const { length } = bytes;
  const first = !request.attempts++;
  // The browser refuses a keepalive request when others have spent the budget; so only the first attempt is one.
  const keepalive = first && keepaliveBytes + length <= LARGEST;
  const reserved = keepalive * length;
  unsettled += first * spans;
  keepaliveBytes += reserved;
  let response, answer;
  try {
    response = await dispatch(request, { keepalive, signal: AbortSignal.timeout(TIMEOUT) });
    answer = await response.arrayBuffer();
  } catch {
    // No answer is as retryable as a busy server. With a status, only the answer's body was lost.
  }
  keepaliveBytes -= reserved;

  // The answers that OTLP calls retryable (OTLP 1.x, "Failures"), and none.
  const settled = response && !/^(429|50[234])$/.test(response.status);
  if (!settled && request.attempts < ATTEMPTS) {
    waiting.push(request);
    // 1, 2, 4, 8 seconds give or take a fifth, or what the server asked for, at most a minute.
    const pause = 2 ** request.attempts * (400 + 200 * Math.random());
    notBefore = Date.now() + Math.min(60_000, Math.max(pause, response?.headers.get("retry-after") * 1000 || 0));
    schedule();
    return;
  }
  unsettled -= spans;
  if (settled) {
    const refused = response.ok ? Math.min(spans, rejectedSpans(new Uint8Array(answer ?? 0))) : spans;
    ledger.rejected += refused;
    ledger.delivered += spans - refused;
    notBefore = 0;
  } else giveUp(request);
  done(request);
  return settled;
}

/** `partial_success.rejected_spans` of an ExportTraceServiceResponse: field 1 within field 1. Anything unexpected counts as none. */
export function rejectedSpans(bytes) {
  let at = 1;
  while (bytes[at++] > 127);
  let count = 0;
  if (bytes[0] === 10 && bytes[at] === 8) {
    for (let factor = 1; factor < 2 ** 53; factor *= 128) {
      count += (bytes[++at] & 127) * factor;
      if (!(bytes[at] > 127)) break;
    }
  }
  return count;
}
