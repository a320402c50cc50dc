/** Frees spans that nobody can end any more, because nothing in the program holds them; they are counted as `abandoned`. */

import { live, wasm } from "./module.mjs";
import { watchBy } from "./tracer.mjs";

/** As long as no more than these have not ended, nobody is in the way, and a span costs nothing more. */
const FEW = 32;

/** Workers have none before the compatibility date 2025-05-05: there the oldest makes room when too many are live. */
const registry = globalThis.FinalizationRegistry && new FinalizationRegistry(([wasm, handle]) => wasm.end(handle | (1 << 31), 0, 0));

function watch(span, handle) {
  // Bit 0: it records.
  if (handle & 1 && live() > FEW) registry?.register(span, [wasm, handle]);
}

let isWatching;

/** From here on. */
export function freeForgotten() {
  if (!isWatching) watchBy(watch);
  isWatching = true;
}
