/** Types of `clewline/document-load`: spans of the page's own load. */

import type { Instrumentation } from "./index.mjs";

export interface DocumentLoadOptions {
  /** Whether each script, stylesheet and image is a span. Default true. */
  resources?: boolean;
  /** Whether addresses keep their query strings. Default false. */
  recordQuery?: boolean;
  /** Whether what happens after the load, and has no other parent, belongs to its trace too. Default false. */
  oneTrace?: boolean;
}

/**
 * The spans `documentLoad`, `documentFetch` and `resourceFetch`. The first is a child of the server's span, where a `Server-Timing` header
 * or a `<meta name="traceparent">` names it; requests made before the load is over are its children. A page's load is told once.
 */
export declare function traceDocumentLoad(options?: DocumentLoadOptions): Instrumentation;
