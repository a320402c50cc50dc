/** Types of `clewline/session`: the session of a browser, and what it says of itself. */

import type { Instrumentation } from "./index.mjs";

export interface SessionOptions {
  /** Where it is kept. Default `localStorage`: all tabs of this origin are one session; with `sessionStorage`, each tab has its own. */
  storage?: Pick<Storage, "getItem" | "setItem">;
  /** After so many milliseconds without a sign of life a session is over. Default half an hour. */
  pause?: number;
}

/** `session.id`, for `init`'s `resource`: a random text, the same for this page's life. */
export declare function session(options?: SessionOptions): { "session.id": string };

/**
 * `session.id` on each span, which may change while a page stays open, and a span `session.start` for each session that begins, with
 * `session.previous_id` where there was one. Name it first: what begins before it, as a page's load does, has none. A second one in a page
 * does nothing.
 */
export declare function traceSession(options?: SessionOptions): Instrumentation;

/** `browser.*` and `user_agent.original`, for `init`'s `resource`. What a browser does not tell is left out. */
export declare function browser(): Record<string, string | boolean | string[]>;
