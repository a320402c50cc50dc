/** Types of `clewline/web-vitals`: spans of what the package `web-vitals` measures. */

import type { Instrumentation } from "./index.mjs";

/** What that package reports. */
export interface WebVital {
  name: string;
  value: number;
  delta: number;
  rating: string;
  id: string;
  navigationType: string;
}

/** The functions of that package that are used, each if it is there. */
export type WebVitals<Options = object> = {
  readonly [name in "onCLS" | "onFCP" | "onINP" | "onLCP" | "onTTFB"]?: (report: (vital: WebVital) => void, options?: Options) => void;
};

/**
 * A span without length for each vital, `browser.web_vital lcp` and the like, with the attributes `browser.web_vital.*`:
 * `import * as vitals from "web-vitals"`, `traceWebVitals(vitals)`. `options` are those of that package, such as `{ reportAllChanges: true }`.
 */
export declare function traceWebVitals<Options>(vitals: WebVitals<Options>, options?: Options): Instrumentation;
