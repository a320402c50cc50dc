/** Types of `clewline/offline`: spans that wait for the network, or for the next page. */

import type { Instrumentation } from "./index.mjs";

export interface OfflineOptions {
  /** The name of the IndexedDB database. Default `clewline`. */
  name?: string;
  /** How many requests, of at most 60 KiB, are kept; the oldest make room. Default 100. */
  most?: number;
}

/**
 * Keeps in IndexedDB what a page that is left cannot send within its budget and what nobody answered; the next page of this origin sends it.
 * `stats()` then also says `kept`, `restored`, `expired`, and `handedOver`: given to `fetchLater` or `sendBeacon`, which never say whether
 * it arrived. started + restored = live + batched + waiting + delivered + handedOver + rejected + kept + abandoned + batchFull + undelivered.
 */
export declare function keepOffline(options?: OfflineOptions): Instrumentation;
