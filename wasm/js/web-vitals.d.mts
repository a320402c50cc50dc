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
export type WebVitals = {
  readonly [name in "onCLS" | "onFCP" | "onINP" | "onLCP" | "onTTFB"]?: (report: (vital: WebVital) => void) => void;
};

/** A span without length for each vital: `import * as vitals from "web-vitals"`, `traceWebVitals(vitals)`. */
export declare function traceWebVitals(vitals: WebVitals): Instrumentation;
