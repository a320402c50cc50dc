/** `clewline/api` for Node.js, Deno, Bun and workerd: contexts hold through promises and timers, and can be bound to event emitters. */

import { AsyncLocalStorage } from "node:async_hooks";

import { provideApi as provide } from "./api.mjs";

const ADDING = ["on", "addListener", "prependListener", "once", "prependOnceListener"];
const REMOVING = ["off", "removeListener"];

const bound = new WeakSet();

/** From here on an emitter's new listeners are bound: what a stream tells runs in the context of who asked for it, not of who feeds it. */
function bindEmitter(emitter, bind) {
  if (bound.has(emitter)) return emitter;
  bound.add(emitter);
  /** What was made of each listener, to find it when it is removed. */
  const made = new WeakMap();
  let nested = false;
  const patch = (names, change) => {
    for (const name of names) {
      const original = emitter[name];
      if (typeof original === "function") emitter[name] = change(original);
    }
  };
  patch(ADDING, (original) => function (event, listener) {
    // `once` adds a listener of its own by `on`; that one removes itself.
    if (nested || typeof listener !== "function") return original.call(this, event, listener);
    if (!made.has(listener)) made.set(listener, bind(listener));
    nested = true;
    try {
      return original.call(this, event, made.get(listener));
    } finally {
      nested = false;
    }
  });
  patch(REMOVING, (original) => function (event, listener) {
    return original.call(this, event, made.get(listener) ?? listener);
  });
  return emitter;
}

/** See `provideApi` of the other entries. */
export const provideApi = (store = new AsyncLocalStorage()) => provide(store, bindEmitter);
