/** The package's entry for Node.js, Deno and Bun: the same, and the active span holds through promises and timers. */

import { AsyncLocalStorage } from "node:async_hooks";

import { keepContextIn } from "./context.mjs";
import { init as start } from "./index.mjs";

export * from "./index.mjs";

let store;

/** See `init` of the other entries. */
export function init(options) {
  if (!store) keepContextIn((store = new AsyncLocalStorage()));
  return start(options);
}
