/** Has the active span follow promises and timers on hosts with Node's `AsyncLocalStorage`. */

import { AsyncLocalStorage } from "node:async_hooks";

import { keepContextIn } from "./context.mjs";

let store;

/** Once, however often it is said. */
export function followPromises() {
  if (store) return;
  store = new AsyncLocalStorage();
  keepContextIn({ get: () => store.getStore(), run: (span, fn, ...args) => store.run(span, fn, ...args) });
}
