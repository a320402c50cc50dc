/**
 * Instruments `XMLHttpRequest`: the same spans and headers as for `fetch`, from `send` to the end of the answer. A request that somebody
 * gave a `traceparent` is left alone.
 */

import { finishRequest, readRequestOptions, startRequest } from "./http.mjs";
import { httpUrl } from "./options.mjs";

/** How a request can end without an answer, and what `fetch` and a synchronous request call that. */
const FAILURES = { error: "NetworkError", abort: "AbortError", timeout: "TimeoutError" };

let installed;

/** The instrumentation, for `init`'s list; a second one does nothing. */
export const traceXhr = (given) => {
  const options = readRequestOptions(given);
  return () => patch(options);
};

function patch(options) {
  const prototype = globalThis.XMLHttpRequest?.prototype;
  if (installed || !prototype) return;
  let on = (installed = true);
  const undo = [];
  /** Per request, as it was last opened: method, address, whether it is somebody else's, and once it is sent, what ends its span. */
  const opened = new WeakMap();

  /** Puts `around(request, args, call)` in a method's place, which keeps its name and all; `call` is the method. */
  function wrap(name, around) {
    const original = prototype[name];
    const apply = (_, self, args) => around(self, args, () => Reflect.apply(original, self, args));
    const wrapped = (prototype[name] = new Proxy(original, { apply }));
    // What somebody else put over ours stays, and ours lets everything through.
    undo.push(() => prototype[name] === wrapped && (prototype[name] = original));
    return original;
  }

  wrap("open", (self, [method, address], call) => {
    const before = opened.get(self);
    const { readyState, status } = self;
    const request = { method: String(method) };
    try {
      // As the page is now: it may have another address when the request is sent.
      request.address = httpUrl(address);
    } catch {
      // The browser is going to say it.
    }
    // Already now, because listeners that hear of it may send.
    opened.set(self, request);
    try {
      call();
    } catch (error) {
      // What is under way goes on.
      opened.set(self, before);
      throw error;
    }
    // What was under way is dropped, and no event tells of it.
    before?.finish?.(readyState === 4 ? "loadend" : "abort", { status });
  });

  const setRequestHeader = wrap("setRequestHeader", (self, [name], call) => {
    call();
    const request = opened.get(self);
    if (request && /^traceparent$/i.test(name)) request.isLeft = true;
  });

  wrap("send", (self, _, call) => {
    const request = opened.get(self);
    let traced;
    try {
      // One that is sent already fails, and goes on.
      traced = on && request?.address && !request.isLeft && !request.finish && startRequest(options, request.address, request.method);
      if (traced?.[1]) setRequestHeader.call(self, "traceparent", traced[0].traceparent());
    } catch {
      // Whatever is odd, the real request will say it.
    }
    if (!traced) return call();

    const listening = new AbortController();
    request.finish = (type, answer = self, error = FAILURES[type] && { name: FAILURES[type], message: type }) => {
      if (listening.signal.aborted) return;
      listening.abort();
      finishRequest(traced, error ? undefined : answer, error);
    };
    // A request that was opened anew while the last one's "load" was told still gets that one's "loadend".
    for (const type of [...Object.keys(FAILURES), "loadend"]) {
      self.addEventListener(type, () => self.readyState === 4 && request.finish(type), listening);
    }
    try {
      call();
    } catch (error) {
      // A synchronous request failed; or it cannot be sent at all.
      request.finish("error", self, error);
      throw error;
    }
  });

  return () => {
    for (const step of undo) step();
    on = installed = false;
  };
}
