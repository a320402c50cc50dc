/** The package's entry: `init` starts tracing once. */

import { start } from "./start.mjs";
import { wasmBytes } from "./wasm.mjs";

export { SpanKind, SpanStatusCode } from "./span.mjs";
export { stats } from "./start.mjs";

/**
 * Starts tracing and answers the tracer. A second call with the same options answers the same tracer.
 * @throws {TypeError} with the name of the option that is wrong, unknown, or different from the first call's
 */
export const init = (options) => start(options, () => new WebAssembly.Instance(new WebAssembly.Module(wasmBytes())).exports);
