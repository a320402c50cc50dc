/**
 * Keeps requests where they outlive the page: what no budget takes when the page is left, and what nobody answered. This or another page of
 * the origin sends them, one page at a time, the oldest first.
 */

import { openStore } from "./offline-store.mjs";
import { attempt, count, dispatch, endpoint, flush, handOver, keepBy, keepaliveBytes, next, pause, release, room, takeBack, waitFor, wrapSend } from "./transport.mjs";

/** More bytes than this in the batch are kept at once: so many spans came in one task that none could be sent in between. */
const CROWDED = 128 * 1024;
/**
 * How long a page waits before it sends what was kept, in milliseconds: perhaps it is gone by then; or another one goes just now, and has not
 * said yet what it handed over.
 */
const RESPITE = 1000;
/** How long a flush waits for another page that sends what both kept, in milliseconds. */
const PATIENCE = 1000;
/** How long until it is asked again whether there is room in the budget, in milliseconds. */
const TURN = 50;
/** When to look again after the database failed, in milliseconds. */
const RETRY = 60_000;

const CHECKS = {
  name: (value) => typeof value === "string" && value !== "",
  most: (value) => Number.isSafeInteger(value) && value > 0,
  atLeastOnce: (value) => typeof value === "boolean",
};

/** The instrumentation, for `init`'s list. */
export const keepOffline = ({ name = "clewline", most = 100, atLeastOnce = false } = {}) => {
  const given = { name, most, atLeastOnce };
  for (const option in CHECKS) {
    if (!CHECKS[option](given[option])) throw new TypeError(`clewline: keepOffline option "${option}" cannot be ${JSON.stringify(given[option])}`);
  }
  // Not of a server: a process has no next page.
  return () => ("indexedDB" in globalThis ? keep(given) : undefined);
};

const task = (delay) => new Promise((resolve) => setTimeout(resolve, delay));
const ignore = () => {};

function keep({ name, most, atLeastOnce }) {
  const listening = new AbortController();
  const canKeepAlive = globalThis.Request && "keepalive" in Request.prototype;
  /** Requests in the browser's hands, which go on when the page is gone: `{ request, key }`; the key is that of their record. */
  const flights = new Set();
  /** What this page kept a moment ago: `{ request, key }`. If it is hidden or left right after, some of it may go at once. */
  let recent = [];
  /** Keys of records about requests of which this page will hear no more. */
  let unheard = [];
  let timer, draining, wake;
  let respite = 0;
  let isWanted = false;
  /** Whether this page is the one that sends; whether `leave` is at work; whether the page was left, and has not come back. */
  let isChosen = false;
  let isLeaving = false;
  let isGone = false;

  const store = openStore(name);

  /** A copy, because the bytes are a part of memory that is used again, all of which a database would keep. */
  const record = ({ bytes, spans }) => ({ bytes: bytes?.slice(), spans, endpoint: endpoint() });
  /** About a request in the browser's hands: the next page counts it; or sends it again, if it shall arrive in any case. */
  const trace = ({ bytes, spans }) => record({ bytes: atLeastOnce ? bytes : undefined, spans });

  /** Keeps requests in one of the store's ways; answers their keys, or `undefined`. */
  function keepAll(requests, put) {
    let spans = 0;
    for (const request of requests) spans += request.spans;
    const entries = requests.map((request) => [store.newKey(), record(request)]);
    const isKept = put(entries, () => {
      count("kept", -spans);
      count("undelivered", spans);
    });
    if (!isKept) return;
    if (spans) count("kept", spans);
    return entries.map(([key]) => key);
  }

  /** Has this page send what was kept, after a respite; once more, if it is at it. */
  function drain(delay = 0) {
    clearTimeout(timer);
    timer = undefined;
    respite = delay;
    isWanted = true;
    return (draining ??= alone(work).catch(() => later(RETRY)).finally(() => (draining = undefined)));
  }

  async function work() {
    isChosen = true;
    try {
      while (isWanted && !isGone) {
        isWanted = false;
        await Promise.all([store.ready, respite && new Promise((resolve) => setTimeout((wake = resolve), respite))]);
        if (store.isOpen() && !isGone) await sendKept();
      }
    } finally {
      isChosen = false;
      recent = recent.filter(isOurs);
    }
  }

  /** One page at a time, where the browser can tell. */
  const alone = async (work) => (navigator.locks ? navigator.locks.request(`${name} requests`, work) : work());

  /** Sends what was kept, by this page or another, until nothing is left or the collector does not take it. */
  async function sendKept() {
    // What this page will hear of itself is not for anybody else.
    const own = (key) => unheard.includes(key) || [...flights].some((flight) => flight.key === key);
    const mine = (found, key) => found.endpoint === endpoint() && !own(key);
    for (let found; !isGone && (await store.gather(), (found = await store.oldest(mine))); ) {
      const { bytes, spans } = found.record;
      if (!bytes) {
        count("handedOver", spans);
        await settle(found);
        continue;
      }
      // Only within the budget a request outlives the page, so that nobody has to send it again.
      while (keepaliveBytes && bytes.length > room() && !isGone) await task(TURN);
      if (isGone) break;
      const sending = sendOne(found);
      waitFor(sending.catch(ignore));
      if (!(await sending)) {
        later(pause());
        break;
      }
    }
    for (const { spans } of await store.trim(most)) count("expired", spans);
  }

  /** Sends one request that was kept; answers whether that settled it. */
  async function sendOne({ key, record }) {
    const { bytes, spans } = record;
    recent = recent.filter((one) => one.key !== key);
    // The browser refuses it when others have spent the budget: after a failure, not so.
    const isSettled = await attempt({ bytes, spans, key }, !pause());
    // Only now: a page that is left while an answer is being read leaves word of it.
    for (const flight of flights) if (flight.key === key) flights.delete(flight);
    if (isSettled) await settle({ key, record });
    // In case that a trace took its place.
    else store.put([[key, record]], ignore);
    return isSettled;
  }

  function settle({ key, record: { spans } }) {
    count("restored", spans);
    return store.remove(key);
  }

  function later(delay) {
    if (!listening.signal.aborted) timer ??= setTimeout(() => void drain(), delay);
  }

  /** Whether no other page can have taken what this one kept. */
  const isOurs = ({ key }) => isChosen || store.isUntouched(key);

  /**
   * The page is hidden or left: the oldest goes first, as far as the budgets reach, and the rest is kept. A browser ends a page that takes
   * long to leave in the midst of it, so what goes is written down before it goes: it cannot arrive twice, nor be lost uncounted.
   */
  function leave(type) {
    const isLeft = type === "pagehide";
    // A collector that did not answer will not answer now either.
    const isFailing = pause() > 0 || navigator.onLine === false;
    isLeaving = true;
    recent = recent.filter(isOurs);
    if (!isFailing || !store.isUsable()) {
      while (isLeft && recent[0]?.request.bytes.length <= room()) {
        const [{ request, key }] = recent;
        void sendOne({ key, record: record(request) }).catch(ignore);
      }
      handOver();
    }
    isLeaving = false;
    if (isLeft) {
      for (const flight of flights) Object.assign(flight, { isLeft, key: flight.key ?? store.newKey() });
      store.putNow([...flights].map(({ request, key }) => [key, trace(request)]), ignore);
      // A page that goes into the back-forward cache holds no lock.
      isGone = true;
      wake?.();
    }
    if (store.isUsable()) keepBatch(store.putNow);
    if (!isLeft) {
      if (recent.length) void drain(RESPITE);
      return;
    }
    store.secure();
    if (globalThis.fetchLater && !isFailing && !atLeastOnce) fetchRestLater();
    // It may be in both places now, of which the next page empties one.
    recent = [];
  }

  /** Gives the browser what it takes of the rest, the oldest first. Nobody will say whether it arrived. */
  function fetchRestLater() {
    const isTaken = (request) => dispatch(request, { later: true }) === true;
    for (let one; (one = recent[0]); recent.shift()) {
      const { request, key } = one;
      store.putNow([[key, trace(request)]], ignore);
      if (!isTaken(request)) return store.putNow([[key, record(request)]], ignore);
      count("kept", -request.spans);
      count("handedOver", request.spans);
      unheard.push(key);
    }
    // There was no place for these.
    for (let request; (request = next()); count("handedOver", request.spans)) {
      if (!isTaken(request)) return takeBack(request);
      release(request);
    }
  }

  /** Keeps all that is in the batch, in one of the store's ways. */
  function keepBatch(put) {
    const requests = [];
    for (let request; (request = next()); ) requests.push(request);
    const keys = keepAll(requests, put);
    if (!keys) return requests.reverse().forEach(takeBack);
    requests.forEach((request, index) => {
      release(request);
      recent.push({ request, key: keys[index] });
    });
  }

  /** `fetchLater` has a budget of its own. */
  function fetchLater(address, { method, headers, body }) {
    try {
      return globalThis.fetchLater(address, { method, headers, body, activateAfter: 0 }) !== undefined;
    } catch {
      // No more room there either.
      return false;
    }
  }

  /**
   * For browsers whose `fetch` ends with the page. A beacon has no headers of its own, and brings cookies along: of another origin, hardly a
   * collector allows that.
   */
  function beacon(address, { headers, body, request }) {
    const { "content-type": type, ...others } = headers;
    const mayArrive = !Object.keys(others).length && (new URL(address).origin === globalThis.location?.origin || type === "text/plain");
    if (!mayArrive || !navigator.sendBeacon?.(address, new Blob([body], { type }))) throw new TypeError("no room for a beacon");
    return unknown(request);
  }

  /** The answer to a request of which nobody will say whether it arrived. */
  function unknown(request) {
    count("delivered", -request.spans);
    count("handedOver", request.spans);
    return new Response();
  }

  async function fly(send, address, init) {
    const { request } = init;
    const flight = { request, key: request.key };
    const isNow = isLeaving;
    let isLast = isNow;
    if (isLast) void task().then(() => (isLast = false));
    flights.add(flight);
    try {
      // Right behind `leave`, which has written it down by then.
      if (isNow) await undefined;
      if (!canKeepAlive && isNow) return beacon(address, init);
      return await send.call(globalThis, address, init);
    } catch (error) {
      // Refused at once, because others spent the budget: the page may have no other moment.
      if (isLast) request.isKept = request.key ? store.putNow([[request.key, record(request)]], ignore) : keepAll([request], store.putNow) !== undefined;
      // What is kept whole again is not for `leave` to write about.
      if (request.isKept) flights.delete(flight);
      // A page that is left is told that its requests failed, while they go on.
      else await task();
      if (flight.isLeft && !request.isKept) return unknown(request);
      throw error;
    } finally {
      if (!request.key) {
        flights.delete(flight);
        if (flight.key) void store.remove(flight.key).catch(ignore);
      }
    }
  }

  wrapSend((send) => (address, init) => {
    if (init.later) return fetchLater(address, init);
    return init.keepalive ? fly(send, address, init) : send.call(globalThis, address, init);
  });

  keepBy({
    leave,
    flush() {
      wake?.();
      // If another page is at work, this one does not wait for it for long.
      const patience = task(PATIENCE).then(() => isChosen && draining);
      return Promise.race([drain(), patience]);
    },
    keep(request) {
      const isKept = request.isKept || keepAll([request], store.put) !== undefined;
      if (isKept) later(pause());
      return isKept;
    },
    makeRoom(bytes) {
      if (bytes < CROWDED || !store.isUsable()) return;
      keepBatch(store.put);
      void drain(RESPITE);
    },
  });

  const on = (type, listener) => globalThis.addEventListener?.(type, listener, listening);
  const isBack = () => {
    isGone = false;
    wake?.();
    // This page lives, and counts itself what it handed over.
    for (const key of unheard.splice(0)) void store.remove(key).catch(ignore);
    void drain(RESPITE);
  };
  // Once more behind all other listeners: what those of the application end when the page is left shall leave too.
  for (const type of ["visibilitychange", "pagehide"]) {
    const again = () => (type === "pagehide" || document.visibilityState === "hidden") && leave(type);
    globalThis.addEventListener?.(type, () => addEventListener(type, again, { once: true }), { capture: true, signal: listening.signal });
  }
  on("pageshow", ({ persisted }) => persisted && isBack());
  on("visibilitychange", () => document.visibilityState === "visible" && isBack());
  on("online", () => void flush());
  void drain(RESPITE);
  return () => {
    listening.abort();
    clearTimeout(timer);
  };
}
