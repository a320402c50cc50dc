/** The package's entry: `init` starts tracing once. */

// First, so that what follows stands together in a bundle, and compresses better.
import { wasmBytes } from "./wasm.mjs";
import { start } from "./start.mjs";

export { SpanKind, SpanStatusCode } from "./span.mjs";
export { stats } from "./start.mjs";

/**
 * Starts tracing and answers the tracer. A second call with the same options answers the same tracer.
 * @throws {TypeError} with the name of the option that is wrong, unknown, or different from the first call's
 */
export const init = (options) => start(options, () => new WebAssembly.Instance(new WebAssembly.Module(wasmBytes())).exports);
