/** Types of `clewline/slim`: the package without its module. */

import type { InitOptions, Tracer } from "./index.mjs";

export * from "./index.mjs";

/**
 * `init` with the module as a second argument: `clewline/core.wasm`, compiled, or the exports of an instance. For anything else, such as
 * bytes or a promise, it throws a TypeError.
 */
export declare function init(options: InitOptions, module: object): Tracer;
