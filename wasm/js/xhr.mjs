/** Instruments `XMLHttpRequest`: the same spans and headers as for `fetch`, from `send` to the end of the answer. */

import { finishRequest, startRequest } from "./http.mjs";

/** How a request can end without an answer, and what `fetch` and a synchronous request call that. */
const FAILURES = { error: "NetworkError", abort: "AbortError", timeout: "TimeoutError" };

let installed;

/** The instrumentation, for `init`'s list; a second one does nothing. */
export const traceXhr = (options = {}) => () => {
  const prototype = globalThis.XMLHttpRequest?.prototype;
  if (installed || !prototype) return;
  let on = (installed = true);
  const { open, send, setRequestHeader } = prototype;
  /** Per request: method, address, whether the caller set the header, and once it is sent, what ends its span. */
  const opened = new WeakMap();

  function newOpen(method, address) {
    // What is under way is dropped, and no event tells of it.
    opened.get(this)?.finish?.(this.readyState === 4 ? "loadend" : "abort");
    opened.set(this, { method: String(method), address: String(address) });
    return open.apply(this, arguments);
  }

  function newSetRequestHeader(name) {
    const answer = setRequestHeader.apply(this, arguments);
    const request = opened.get(this);
    if (request && /^traceparent$/i.test(name)) request.has = true;
    return answer;
  }

  function newSend() {
    const request = opened.get(this);
    let call;
    try {
      call = on && request && !request.finish && startRequest(options, request.address, request.method);
      if (call?.[1] && !request.has) setRequestHeader.call(this, "traceparent", call[0].traceparent());
    } catch {
      // Whatever is odd, the real request will say it.
    }
    if (call) {
      const listening = new AbortController();
      request.finish = (failure, { name, message } = { name: FAILURES[failure], message: failure }) => {
        listening.abort();
        opened.delete(this);
        finishRequest(call, name ? {} : this, name && { name, message });
      };
      // A request that was opened anew while the last one's "load" was told still gets that one's "loadend".
      for (const type of [...Object.keys(FAILURES), "loadend"]) this.addEventListener(type, () => this.readyState === 4 && request.finish(type), listening);
    }
    try {
      return send.apply(this, arguments);
    } catch (error) {
      // A synchronous request failed; or it cannot be sent at all.
      if (call) request.finish("error", error);
      throw error;
    }
  }

  Object.assign(prototype, { open: newOpen, send: newSend, setRequestHeader: newSetRequestHeader });
  return () => {
    // What somebody else put over ours stays, and ours lets everything through.
    if (prototype.open === newOpen) prototype.open = open;
    if (prototype.setRequestHeader === newSetRequestHeader) prototype.setRequestHeader = setRequestHeader;
    if (prototype.send === newSend) prototype.send = send;
    on = installed = false;
  };
};
