/** Types of `clewline/workers`: spans of workers that may be terminated at any moment. */

import type { Instrumentation } from "./index.mjs";

/**
 * For pages: takes what workers of the page's origin hand over to the same `endpoint`, and sends it among the page's own. Of several pages,
 * one takes. `stats()` counts such spans as `adopted`.
 */
export declare function adoptFromWorkers(): Instrumentation;

/**
 * For workers, last in the list: hands spans to a page with `adoptFromWorkers` soon after they end, and before the worker posts a message
 * or closes. `stats()` counts such spans as `handedOver`. Where no page answers within `patience` (milliseconds, default 4000), the worker
 * sends for itself.
 */
export declare function sendThroughPage(options?: { patience?: number }): Instrumentation;
