/** Types of `clewline/web`: all that a page usually wants to see of itself. */

import type { DocumentLoadOptions } from "./document-load.mjs";
import type { RequestOptions } from "./fetch.mjs";
import type { Instrumentation } from "./index.mjs";
import type { InteractionOptions } from "./interaction.mjs";
import type { NavigationOptions } from "./navigation.mjs";
import type { OfflineOptions } from "./offline.mjs";

/** Requests with their timing, the page's load, gestures, changes of route, errors, long tasks, and the offline queue. */
export declare function traceWeb(
  options?: RequestOptions & DocumentLoadOptions & InteractionOptions & NavigationOptions & OfflineOptions & { least?: number; mostErrors?: number },
): Instrumentation;
