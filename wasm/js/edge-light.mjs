/** The package's entry for Vercel's edge runtime, whose bundler hands out modules by this suffix. */

import module from "./core.wasm?module";
import { init as start } from "./slim.mjs";

export { SpanKind, SpanStatusCode, stats } from "./slim.mjs";

/** See `init` of the other entries. */
export const init = (options) => start(options, module);
