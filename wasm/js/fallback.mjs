/**
 * The package for pages whose policy may forbid WebAssembly (`script-src 'self'`): then the same module runs as JavaScript, which is
 * loaded only in that case.
 */

import { start } from "./start.mjs";
import { wasmBytes } from "./wasm.mjs";

export { SpanKind, SpanStatusCode } from "./span.mjs";
export { stats } from "./start.mjs";

/** `init` of the package's main entry, as a promise. */
export async function init(options) {
  let instance;
  try {
    instance = new WebAssembly.Instance(new WebAssembly.Module(wasmBytes())).exports;
  } catch {
    instance = (await import("./core-js.mjs")).instantiate();
  }
  return start(options, () => instance);
}
