/** Types of `clewline/json`: OTLP as JSON. */

import type { Instrumentation } from "./index.mjs";

/** Sends requests as OTLP/JSON instead of protobuf. */
export declare function sendJson(): Instrumentation;

/** An OTLP request of this package as OTLP/JSON. */
export declare function toJson(request: Uint8Array): string;
