/** Types of `clewline/interaction`: spans of gestures. */

import type { Instrumentation } from "./index.mjs";

export interface InteractionOptions {
  /** The events that are gestures; several of one press make one span, named after the first. Default `["click", "submit"]`. */
  events?: readonly string[];
  /** The elements that can be used, as a selector; a gesture on none of them is none. Default: links, buttons, fields and the like. */
  selector?: string;
}

/**
 * One span for each gesture, active while its listeners run. It says which element, by tag and id, and nothing of its content. A second one
 * in a page does nothing.
 *
 * @throws DOMException `SyntaxError` for a selector that is none
 */
export declare function traceInteraction(options?: InteractionOptions): Instrumentation;
