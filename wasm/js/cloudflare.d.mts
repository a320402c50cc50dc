/** Types of `clewline/cloudflare`: a Cloudflare Worker, traced. */

import type { RequestOptions } from "./fetch.mjs";
import type { InitOptions, Tracer } from "./index.mjs";

export { SpanKind, SpanStatusCode, stats } from "./index.mjs";

export type WorkerOptions = InitOptions & RequestOptions;

/**
 * A Worker's handler with a span for each request, timer and batch of messages: an object of functions, or a class, as entry points and
 * Durable Objects are. `options` are those of `init`, or a function of the environment that answers them; without `instrumentations`,
 * outgoing `fetch` is traced. What has ended is sent by `waitUntil`.
 *
 * @throws TypeError that names the option which is wrong or unknown. Those that a function answers are judged by the first event, which is
 * handled untraced then, and the console says why.
 */
export declare function instrument<Handler extends object>(
  handler: Handler,
  options: WorkerOptions | ((env: any) => WorkerOptions),
): Handler;

/** The tracer, for spans of your own. Throws where no instrumented handler ran before. */
export declare function tracer(): Tracer;
