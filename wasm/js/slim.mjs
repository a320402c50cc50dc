/** The package without its module, for those who load `clewline/core.wasm` themselves: half the bytes in the script. */

import { start } from "./start.mjs";

export { SpanKind, SpanStatusCode } from "./span.mjs";
export { stats } from "./start.mjs";

/** `init` of the package's main entry, with the module as a second argument: compiled, or an instance's exports. */
export const init = (options, module) =>
  start(options, () => (module instanceof WebAssembly.Module ? new WebAssembly.Instance(module).exports : module));
