/** The package without its module, for those who load `clewline/core.wasm` themselves: half the bytes in the script. */

import { start } from "./start.mjs";

export { SpanKind, SpanStatusCode } from "./span.mjs";
export { stats } from "./start.mjs";

/**
 * `init` of the package's main entry, with the module as a second argument: compiled, or an instance's exports.
 * @throws {TypeError} also for a second argument that is neither, as bytes and promises are
 */
export function init(options, module) {
  const compiled = module instanceof WebAssembly.Module;
  if (!compiled && !module?.memory) throw new TypeError("clewline: init's second argument is to be core.wasm, compiled, or the exports of its instance");
  return start(options, () => (compiled ? new WebAssembly.Instance(module).exports : module));
}
