/** Types of `clewline/gzip`: compressed requests. */

import type { Instrumentation } from "./index.mjs";

/** Compresses requests of a page that is not being left. Write it before `sendJson()` in the list, if that is used too. */
export declare function sendGzip(): Instrumentation;
