/** Instruments `XMLHttpRequest`: the same spans and headers as for `fetch`, from `send` to the end of the answer. */

import { finishRequest, startRequest } from "./http.mjs";

/** The instrumentation, for `init`'s list. */
export const traceXhr = (options = {}) => () => {
  const prototype = globalThis.XMLHttpRequest?.prototype;
  if (!prototype) return;
  const { open, send, setRequestHeader } = prototype;
  /** Per request: method, address, whether the caller set the header. */
  const opened = new WeakMap();
  let on = true;

  function newOpen(method, address) {
    opened.set(this, { method: String(method), address });
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
    opened.delete(this);
    let call;
    try {
      call = on && request && startRequest(options, request.address, request.method);
      if (call?.[1] && !request.has) setRequestHeader.call(this, "traceparent", call[0].traceparent());
    } catch {
      // Whatever is odd, the real request will say it.
    }
    if (call) {
      let error;
      for (const type of ["error", "abort", "timeout"]) {
        this.addEventListener(type, () => (error = { name: type, message: `the request ended with "${type}"` }), { once: true });
      }
      this.addEventListener("loadend", () => finishRequest(call, this, error), { once: true });
    }
    try {
      return send.apply(this, arguments);
    } catch (error) {
      if (call) finishRequest(call, {}, error);
      throw error;
    }
  }

  Object.assign(prototype, { open: newOpen, send: newSend, setRequestHeader: newSetRequestHeader });
  return () => {
    // What somebody else put over ours stays, and ours lets everything through.
    if (prototype.open === newOpen) prototype.open = open;
    if (prototype.setRequestHeader === newSetRequestHeader) prototype.setRequestHeader = setRequestHeader;
    if (prototype.send === newSend) prototype.send = send;
    on = false;
  };
};
