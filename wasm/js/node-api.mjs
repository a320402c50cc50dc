/** `clewline/api` for Node.js, Deno, Bun and workerd: contexts hold through promises and timers. */

import { AsyncLocalStorage } from "node:async_hooks";

import { provideApi as provide } from "./api.mjs";

/** See `provideApi` of the other entries. */
export const provideApi = (store = new AsyncLocalStorage()) => provide(store);
