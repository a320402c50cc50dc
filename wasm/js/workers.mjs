/**
 * Takes spans out of workers, which can end at any moment without a word: they are handed to a page, which sends them among its own.
 *
 * A worker that is terminated takes its timers and its requests with it, keepalive or not; a message that it posted is on its way for good.
 * Of several pages, the one that holds a lock is the one that takes.
 */

import { LARGEST } from "./module.mjs";
import { count, deliver, endpoint, enqueue, hurry, next, wrapSend } from "./transport.mjs";

const CHANNEL = "clewline";
/** How much longer than a page may take a request its worker waits for the word, in milliseconds. */
const GRACE = 1000;
/** How long a worker to which no page answered sends for itself before it asks again. */
const ALONE = 10_000;
/** How long an ended span waits for others, in a worker and in a page. */
const IN_WORKER = 20;
const IN_PAGE = 500;

/** The instrumentation for a page, for `init`'s list: takes what workers of its origin hand over to the same endpoint. */
export const adoptFromWorkers = () => () => {
  if (!globalThis.BroadcastChannel || !navigator.locks) return;
  const listening = new AbortController();
  /** Requests that no page has taken yet, for the moment when this one is chosen. */
  const open = new Map();
  let channel, release, chosen, gathered, timer;

  function begin() {
    const left = new Promise((resolve) => (release = resolve));
    const mine = (channel = new BroadcastChannel(CHANNEL));
    mine.onmessage = ({ data }) => {
      if (data?.taken) open.delete(`${data.to} ${data.taken}`);
      if (!data?.request) return;
      if (chosen) return take(data);
      for (const [key, { until }] of open) if (Date.now() > until) open.delete(key);
      open.set(`${data.from} ${data.request}`, data);
    };
    const choose = () => {
      if (channel !== mine) return;
      chosen = true;
      for (const data of open.values()) take(data);
      open.clear();
      return left;
    };
    navigator.locks.request(CHANNEL, choose).catch(() => {});
  }

  /** A page that is left holds neither lock nor channel, which would keep it from being shown again as it was. */
  function end() {
    leave();
    channel?.close();
    channel = chosen = undefined;
    release();
  }

  function take({ request, from, address, until, bytes, spans }) {
    if (address !== endpoint() || Date.now() > until) return;
    if (gathered && gathered.length + bytes.length > LARGEST) leave();
    gathered ??= { memory: new Uint8Array(LARGEST), length: 0, spans: 0 };
    // Two requests, one behind the other, are one: their fields repeat.
    gathered.memory.set(bytes, gathered.length);
    gathered.length += bytes.length;
    gathered.spans += spans;
    timer ??= setTimeout(leave, IN_PAGE);
    count("adopted", spans);
    channel.postMessage({ taken: request, to: from });
  }

  function leave() {
    clearTimeout(timer);
    timer = undefined;
    if (gathered) enqueue({ memory: gathered.memory, bytes: gathered.memory.subarray(0, gathered.length), spans: gathered.spans, attempts: 0 });
    gathered = undefined;
  }

  begin();
  addEventListener("visibilitychange", () => document.visibilityState === "hidden" && leave(), listening);
  addEventListener("pagehide", end, listening);
  addEventListener("pageshow", ({ persisted }) => persisted && begin(), listening);
  return () => {
    listening.abort();
    end();
  };
};

/**
 * The instrumentation for a worker, last in `init`'s list: hands spans to a page with `adoptFromWorkers`, soon after they end, and before
 * the worker says anything to anybody or closes. Where no page answers, the worker sends for itself.
 */
export const sendThroughPage = ({ patience = 4000 } = {}) => () => {
  const channel = new BroadcastChannel(CHANNEL);
  const me = crypto.randomUUID();
  /** What becomes of requests that no page has taken yet. */
  const asked = new Map();
  let last = 0;
  let alone = 0;
  channel.onmessage = ({ data }) => data?.to === me && asked.get(data.taken)?.();
  hurry(IN_WORKER);

  wrapSend((send) => (address, init) => {
    const isOurs = init.headers["content-type"] === "application/x-protobuf" && !init.headers["content-encoding"];
    if (!isOurs || Date.now() < alone) return send.call(globalThis, address, init);
    const { bytes, spans } = init.request;
    const request = ++last;
    channel.postMessage({ request, from: me, address, until: Date.now() + patience, bytes, spans });
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        asked.delete(request);
        alone = Date.now() + ALONE;
        // The request's own time began before.
        resolve(send.call(globalThis, address, { ...init, signal: undefined }));
      }, patience + GRACE);
      asked.set(request, () => {
        clearTimeout(timer);
        asked.delete(request);
        // It is the page's to say what became of it.
        count("handedOver", spans);
        count("delivered", -spans);
        resolve(new Response());
      });
    });
  });

  const undo = [[globalThis, "postMessage"], [globalThis, "close"], [globalThis.MessagePort?.prototype, "postMessage"]].map(before);
  return () => undo.forEach((step) => step());
};

/** Has a method hand over first what there is. */
function before([object, name]) {
  const original = object?.[name];
  if (typeof original !== "function") return () => {};
  function first() {
    for (let request; (request = next(LARGEST)); ) void deliver(request);
    return original.apply(this ?? globalThis, arguments);
  }
  object[name] = first;
  return () => {
    if (object[name] === first) object[name] = original;
  };
}
