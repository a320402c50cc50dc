/** Compresses requests where there is time for it: not those of a page that is being left, which cannot wait. */

import { wrapSend } from "./transport.mjs";

/** Smaller requests gain less than the header costs. */
const LEAST = 1024;

async function compressed(body) {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * The instrumentation, for `init`'s list; before `sendJson`, if that is used too: what is compressed already leaves as JSON without
 * compression. Across origins `content-encoding` must be among the headers that the collector allows.
 */
export const sendGzip = () => () => {
  if (!globalThis.CompressionStream) return;
  const listening = new AbortController();
  const on = (type, listener) => globalThis.addEventListener?.(type, listener, { signal: listening.signal, capture: true });
  /** What sends a request that is being compressed as it is. */
  const pending = new Set();
  let isLeft = false;
  const isLeaving = () => isLeft || globalThis.document?.visibilityState === "hidden";
  const hurry = () => isLeaving() && pending.forEach((send) => send());
  on("pagehide", () => {
    isLeft = true;
    hurry();
  });
  on("visibilitychange", hurry);
  on("pageshow", () => (isLeft = false));

  wrapSend((send) => (address, init) => {
    if (init.later || isLeaving() || init.body.length < LEAST) return send.call(globalThis, address, init);
    return new Promise((resolve, reject) => {
      const go = (changed) => pending.delete(plain) && resolve(send.call(globalThis, address, { ...init, ...changed }));
      const plain = () => go();
      pending.add(plain);
      const headers = { ...init.headers, "content-encoding": "gzip" };
      compressed(init.body).then((body) => go({ body, headers }), plain).catch(reject);
    });
  });
  return () => listening.abort();
};
