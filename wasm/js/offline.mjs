/**
 * Keeps what cannot leave: requests that no budget takes when the page is left, and requests that nobody answered, wait in IndexedDB
 * for the next page of this origin, or for the network to return.
 */

import { LARGEST } from "./module.mjs";
import { adopt, count, dispatch, endpoint, flush, giveUpBy, next, release, wrapSend } from "./transport.mjs";

const STORE = "requests";
/** How long after a failure what is kept is tried again, in milliseconds. */
const PAUSE = 60_000;

/** The database, opened at once so that it is at hand when the page is left; a browser that keeps nothing answers `undefined`. */
function open(name) {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { autoIncrement: true });
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => resolve(undefined);
    } catch {
      resolve(undefined);
    }
  });
}

/**
 * The instrumentation, for `init`'s list. At most `most` requests are kept, of at most 60 KiB each; the oldest make room, and their spans
 * are counted as `expired`.
 */
export const keepOffline = ({ name = "clewline", most = 100 } = {}) => () => {
  const listening = new AbortController();
  const canKeepAlive = "keepalive" in Request.prototype;
  /** Requests that a page which is left takes down with it: `{ body, spans }`. */
  const flying = new Set();
  let database, timer;

  /** Keeps requests, `[bytes, spans]`, in one transaction; a page may be closed as soon as that was asked for. */
  function keep(requests) {
    if (!database || !requests.length) return false;
    const transaction = database.transaction(STORE, "readwrite");
    const store = transaction.objectStore(STORE);
    for (const [bytes, spans] of requests) {
      store.add({ bytes: bytes.slice().buffer, spans, endpoint: endpoint() });
      count("kept", spans);
    }
    transaction.commit?.();
    return true;
  }

  /** Makes room by forgetting the oldest. */
  function trim() {
    const store = database.transaction(STORE, "readwrite").objectStore(STORE);
    const request = store.count();
    request.onsuccess = () => {
      let surplus = request.result - most;
      if (surplus <= 0) return;
      const cursors = store.openCursor();
      cursors.onsuccess = () => {
        const cursor = cursors.result;
        if (!cursor || surplus-- <= 0) return;
        count("expired", cursor.value.spans);
        cursor.delete();
        cursor.continue();
      };
    };
  }

  /** Takes what this or another page kept, and sends it. In one transaction, so that no two pages take the same. */
  function restore() {
    clearTimeout(timer);
    timer = undefined;
    if (!database) return;
    const store = database.transaction(STORE, "readwrite").objectStore(STORE);
    const cursors = store.openCursor();
    cursors.onsuccess = () => {
      const cursor = cursors.result;
      if (!cursor) return;
      const { bytes, spans, endpoint: address } = cursor.value;
      if (address === endpoint()) {
        const memory = new Uint8Array(LARGEST);
        memory.set(new Uint8Array(bytes));
        adopt({ bytes: memory.subarray(0, bytes.byteLength), spans, attempts: 1 });
        count("restored", spans);
        cursor.delete();
      }
      cursor.continue();
    };
  }

  /** The keepalive budget is spent: another budget where there is one, and then the next page. */
  function leave(forGood) {
    const requests = [];
    if (forGood) {
      for (const { body, spans } of flying) requests.push([body, spans]);
      flying.clear();
    }
    for (let request; (request = next(LARGEST)); release(request)) {
      if (dispatch(request, { later: true }) === true) count("handedOver", request.spans);
      else requests.push([request.bytes.slice(), request.spans]);
    }
    if (!keep(requests)) for (const [, spans] of requests) count("undelivered", spans);
  }

  wrapSend((send) => (address, init) => {
    if (init.later) return later(address, init);
    if (!init.keepalive) return fly(send, address, init);
    if (!canKeepAlive && globalThis.document?.visibilityState === "hidden") return beacon(address, init);
    return send.call(globalThis, address, init);
  });

  /** `fetchLater` has a budget of its own. True if it took the request. */
  function later(address, { method, headers, body }) {
    try {
      return globalThis.fetchLater?.(address, { method, headers, body, activateAfter: 0 }) !== undefined;
    } catch {
      // No more room there either.
      return false;
    }
  }

  async function fly(send, address, init) {
    const flight = { body: init.body.slice(), spans: init.spans };
    flying.add(flight);
    try {
      return await send.call(globalThis, address, init);
    } finally {
      flying.delete(flight);
    }
  }

  /** For browsers whose `fetch` ends with the page. Nobody will say whether a beacon arrived. */
  async function beacon(address, { headers, body, spans }) {
    const blob = new Blob([body], { type: headers["content-type"] });
    if (!navigator.sendBeacon?.(address, blob)) throw new TypeError("no room for a beacon");
    count("delivered", -spans);
    count("handedOver", spans);
    return new Response();
  }

  giveUpBy(({ bytes, spans }) => {
    if (!keep([[bytes, spans]])) return count("undelivered", spans);
    trim();
    timer ??= setTimeout(restore, PAUSE);
  });

  void open(name).then((opened) => {
    database = opened;
    restore();
  });
  const on = (type, listener) => globalThis.addEventListener?.(type, listener, listening);
  // Behind the tracer's own listeners, which hand over what the keepalive budget takes.
  setTimeout(() => {
    on("pagehide", () => leave(true));
    on("visibilitychange", () => (document.visibilityState === "hidden" ? leave(false) : restore()));
    on("pageshow", restore);
  });
  on("online", () => {
    restore();
    void flush();
  });
  return () => {
    listening.abort();
    clearTimeout(timer);
    database?.close();
  };
};
