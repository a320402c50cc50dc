/** Types of `clewline/cloudflare`: a Cloudflare Worker, traced. */

import type { RequestOptions } from "./fetch.mjs";
import type { InitOptions } from "./index.mjs";

export type WorkerOptions = InitOptions & RequestOptions;

/**
 * A Worker's handler with a span for each request, timer and batch of messages. `options` are those of `init`, or a function of the
 * environment that answers them; without `instrumentations`, outgoing `fetch` is traced. What has ended is sent by `waitUntil`.
 */
export declare function instrument<Handler extends object>(
  handler: Handler,
  options: WorkerOptions | ((env: any) => WorkerOptions),
): Handler;
