/** Sends ended spans to the collector: in batches, within the budget of a leaving page, with bounded retry, and counts every outcome. */

import { checkClock } from "./clock.mjs";
import { ATTEMPTS, LONGEST_PAUSE, TIMEOUT } from "./limits.mjs";
import { LARGEST, batched, done, take } from "./module.mjs";

let options, send;
/** The largest request, which is also the keepalive budget. A batch of half as many bytes is sent at once instead of after the interval. */
let largest;
let timer, soon;
/** The loop that sends one request after the other, and what a page handed over when it was hidden or left. */
let running, handedOver;
/** Before this moment (`Date.now()`) the server is left alone, unless the page leaves or somebody asks for a flush. */
let notBefore;
/** How many attempts failed since one succeeded. */
let failures;
/** Requests that failed and may be sent again, oldest first. Bounded: one from the loop, and one keepalive budget. */
let waiting;
/** How many bytes of the budget are spent until their answers have been read. */
export let keepaliveBytes;
/** What became of the spans that left the module; `waiting` are those in requests that are on their way, or will be sent again. */
export let ledger;
/** Whoever keeps requests where they outlive the page, see `keepBy`. */
let keeper;

/** From here on spans are sent as the options say, by the `fetch` that was there before any instrumentation. */
export function openTransport(given) {
  options = given;
  send = globalThis.fetch;
  largest = LARGEST;
  waiting = [];
  running = handedOver = keeper = undefined;
  timer = soon = notBefore = failures = keepaliveBytes = 0;
  ledger = { delivered: 0, rejected: 0, undelivered: 0, waiting: 0 };
}

/** Whether a request to this path is an export: ours, of another copy, of Rust on the same page, or of any other exporter of OTLP. */
export const isExport = (path) => /\/v1\/traces$/.test(path);

/** Whether nothing is planned: a good moment to compare clocks. */
export const idle = () => !timer && !running;

/** A span ended and the batch now holds so many bytes. */
export function spanEnded(bytes) {
  keeper?.makeRoom(bytes);
  schedule(bytes > largest / 2 || batched() >= options.batchSize);
}

/** Tries once to deliver everything there is; what fails is kept and sent later. */
export async function flush() {
  await running;
  await pump(true);
  await keeper?.flush();
}

/** What can leave leaves, see `leavePage`; `type` is that of the event. */
export const leave = (type) => (keeper ? keeper.leave(type) : handOver());

/** Hands over as much as the keepalive budget allows, now, oldest first. */
export function handOver() {
  for (let request; (request = next(room())); ) handedOver = Promise.all([handedOver, deliver(request, true)]);
}

/** No more timers; `flush` still works. */
export function stopTransport() {
  clearTimeout(timer);
  // As if there were one: no other is set.
  timer = soon = true;
}

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
  try {
    checkClock();
    let request;
    // What was handed over has spent the keepalive budget. After this, `running` is set.
    do await handedOver;
    while ((request = next()) && (await deliver(request)) && (all || waiting.length || request.bytes.length > largest / 2));
  } finally {
    // Whatever went wrong here must not keep later spans from leaving.
    running = undefined;
  }
  if (waiting.length || batched()) schedule();
}

/** The oldest request, if it has at most `max` bytes: one that waits, or a new one. */
export function next(max = Infinity) {
  if (waiting[0]?.bytes.length <= max) return waiting.shift();
  const request = take(Math.min(max, largest));
  ledger.waiting += request?.spans ?? 0;
  return request;
}

/** Hands a request to the browser, which ignores the member that it does not know. */
export const dispatch = (request, more) =>
  send.call(globalThis, options.endpoint, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf", ...options.headers },
    body: request.bytes,
    request,
    ...more,
  });

/** How many bytes may still be handed over. */
export const room = () => largest - keepaliveBytes;

/**
 * Sends a request once, so that it outlives the page if that is wanted and there is room, and counts what came of it. Answers whether that
 * settled it; if not, the server wants a pause.
 */
export async function attempt(request, isWanted) {
  const { bytes, spans } = request;
  const reserved = isWanted && bytes.length <= room() ? bytes.length : 0;
  keepaliveBytes += reserved;
  let response, answer;
  try {
    response = await dispatch(request, { keepalive: reserved > 0, signal: AbortSignal.timeout(TIMEOUT) });
    answer = await response.arrayBuffer();
  } catch {
    // No answer is as retryable as a busy server. With a status, only the answer's body was lost. A page that is left hears that its
    // requests failed, while they go on: it has no other task, and must not send them again.
    await new Promise((resolve) => setTimeout(resolve));
  }
  keepaliveBytes -= reserved;
  // The answers that OTLP calls retryable (OTLP 1.x, "Failures"), and none.
  if (!response || /^(429|50[234])$/.test(response.status)) {
    // 1, 2, 4, 8 seconds give or take a fifth, or what the server asked for: seconds, or a date.
    const asked = response?.headers.get("retry-after");
    const pause = Math.max(2 ** failures++ * (800 + Math.random() * 400), asked * 1000 || Date.parse(asked) - Date.now() || 0);
    notBefore = Date.now() + Math.min(LONGEST_PAUSE, pause);
    return;
  }
  const refused = response.ok ? Math.min(spans, rejectedSpans(new Uint8Array(answer))) : spans;
  ledger.rejected += refused;
  ledger.delivered += spans - refused;
  notBefore = failures = 0;
  return true;
}

/** Sends one request. Answers whether it is settled; if not, it waits among the others. */
export async function deliver(request, isLeaving) {
  const { spans } = request;
  const isFirst = !request.attempts++;
  // The browser refuses a keepalive request when others have spent the budget: so a second attempt is none, if the page stays.
  const settled = await attempt(request, isFirst || isLeaving);
  if (!settled && !keeper?.keep(request)) {
    if (request.attempts < ATTEMPTS) {
      waiting.push(request);
      schedule();
      return;
    }
    ledger.undelivered += spans;
  }
  ledger.waiting -= spans;
  done(request);
  return settled;
}

/** `partial_success.rejected_spans` of an ExportTraceServiceResponse: field 1 within field 1. Anything unexpected counts as none. */
export function rejectedSpans(bytes) {
  let at = 1;
  while (bytes[at++] > 127);
  let count = 0;
  if (bytes[0] === 10 && bytes[at] === 8) {
    let factor = 1;
    do {
      count += (bytes[++at] & 127) * factor;
      factor *= 128;
    } while (bytes[at] > 127);
  }
  return count;
}

/** Takes a request that is new here, and sends it soon. */
export function enqueue(request) {
  ledger.waiting += request.spans;
  waiting.push(request);
  schedule(true);
}

/** From here on ended spans wait so many milliseconds for others. */
export const hurry = (interval) => (options.flushInterval = interval);

/** For this package's other entries: changes how requests are sent. */
export const wrapSend = (wrap) => (send = wrap(send));

/**
 * For a place where requests outlive the page: `keep(request)` takes one that failed, or answers false; `leave(type)` acts for a page that is
 * hidden or left, `flush()` within a flush, `makeRoom(bytes)` when the batch holds so many bytes.
 */
export const keepBy = (given) => (keeper = given);

/** Until this is done, nothing is sent that has time to wait. */
export const waitFor = (sending) => (handedOver = Promise.all([handedOver, sending]));

/** Counts spans under a name, as `stats` shows it. */
export const count = (name, spans) => (ledger[name] = (ledger[name] ?? 0) + spans);

/** A request that `next` answered is somebody else's from here on. */
export const release = ({ spans }) => (ledger.waiting -= spans);

/** Takes a request that `next` answered back, to be sent later. */
export const takeBack = (request) => waiting.unshift(request);

/** For what makes requests longer than they are here: none is longer than this from now on. */
export const limitRequests = (bytes) => (largest = bytes);

/** The address to which spans go. */
export const endpoint = () => options.endpoint;

/** How long the server wants to be left alone, in milliseconds; above 0 if the last attempt failed. */
export const pause = () => (failures ? Math.max(1, notBefore - Date.now()) : 0);
