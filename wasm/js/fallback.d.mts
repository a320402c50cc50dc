/** Types of `clewline/fallback`: for pages whose policy may forbid WebAssembly. */

import type { InitOptions, Tracer } from "./index.mjs";

export * from "./index.mjs";

/** `init`, as a promise: where WebAssembly is forbidden, the module is loaded as JavaScript first. */
export declare function init(options: InitOptions): Promise<Tracer>;
