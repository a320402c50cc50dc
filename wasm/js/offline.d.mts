/** Types of `clewline/offline`: spans that wait for the network, or for the next page. */

import type { Instrumentation } from "./index.mjs";

export interface OfflineOptions {
  /** The name of the IndexedDB database. Default `clewline`. */
  name?: string;
  /** How many requests, of at most 60 KiB, are kept; the oldest make room, and their spans are counted as `expired`. Default 100. */
  most?: number;
  /**
   * What the browser had in hand when the page was left, and of which nobody knows whether it arrived, is sent again by the next page. Then
   * no span is lost, and some arrive twice. Default false: they are counted as `handedOver`.
   */
  atLeastOnce?: boolean;
}

/**
 * Keeps in IndexedDB what a page that is left cannot send within its budgets and what nobody answered; the next page of this origin sends it.
 * `stats()` then holds: started + restored = live + batched + waiting + delivered + handedOver + rejected + kept + abandoned + batchFull + undelivered.
 *
 * @throws TypeError that names the option which is wrong
 */
export declare function keepOffline(options?: OfflineOptions): Instrumentation;
