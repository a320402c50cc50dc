/** Compresses requests where there is time for it: not those of a page that is being left, which cannot wait. */

import { wrapSend } from "./transport.mjs";

/** Smaller requests gain less than the header costs. */
const LEAST = 1024;

async function compressed(body) {
  const stream = new Blob([body]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * The instrumentation, for `init`'s list; behind `sendJson`, if that is used too. Across origins `content-encoding` must be among the
 * headers that the collector allows.
 */
export const sendGzip = () => () => {
  if (!globalThis.CompressionStream) return;
  wrapSend((send) => (address, init) => {
    const isLeaving = init.later || globalThis.document?.visibilityState === "hidden";
    if (isLeaving || init.body.length < LEAST) return send.call(globalThis, address, init);
    const headers = { ...init.headers, "content-encoding": "gzip" };
    return compressed(init.body).then((body) => send.call(globalThis, address, { ...init, body, headers }));
  });
};
