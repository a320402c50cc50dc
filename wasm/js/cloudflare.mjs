/** Traces a Cloudflare Worker: a span of each request, of each alarm clock and of each batch of messages that it handles. */

import { withActive } from "./context.mjs";
import { traceFetch } from "./fetch.mjs";
import { SpanKind } from "./span.mjs";
import { startSpan } from "./tracer.mjs";
import { init } from "./workerd.mjs";

/** Methods a span may be named after (semantic conventions, "http.request.method"); others are `_OTHER`, to keep names few. */
const METHODS = /^(CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|QUERY|TRACE)$/;

/** Runs a handler in a span, records how it went, and sends what has ended when it is done. */
async function run(tracer, context, name, options, handle, judge = () => {}) {
  const span = startSpan(name, options);
  try {
    const answer = await withActive(span, () => handle(span));
    judge(span, answer);
    return answer;
  } catch (error) {
    span.setAttribute("error.type", error?.name ?? typeof error).recordException(error);
    span.setStatus({ code: 2, message: String(error?.message ?? error) });
    throw error;
  } finally {
    span.end();
    context?.waitUntil?.(tracer.flush());
  }
}

function describe(request) {
  const url = new URL(request.url);
  const known = METHODS.test(request.method);
  return {
    name: known ? request.method : "HTTP",
    attributes: {
      "http.request.method": known ? request.method : "_OTHER",
      "http.request.method_original": known ? undefined : request.method,
      "url.path": url.pathname,
      "url.scheme": url.protocol.slice(0, -1),
      "server.address": url.hostname,
      "server.port": +url.port || undefined,
      "user_agent.original": request.headers.get("user-agent"),
      "network.protocol.version": request.cf?.httpProtocol?.replace(/^HTTP\//, ""),
    },
  };
}

function judgeResponse(span, response) {
  span.setAttribute("http.response.status_code", response?.status);
  if (response?.status >= 500) span.setAttribute("error.type", String(response.status)).setStatus({ code: 2 });
}

/**
 * A Worker's handler, traced. `options` are those of `init`, or a function of the environment that answers them; without
 * `instrumentations`, outgoing `fetch` is traced, and carries `traceparent` where `propagateTo` allows.
 */
export function instrument(handler, options) {
  function begin(env) {
    const { propagateTo, recordQuery, ...given } = typeof options === "function" ? options(env) : options;
    return init({ instrumentations: [traceFetch({ propagateTo, recordQuery })], ...given });
  }
  const traced = { ...handler };
  if (handler.fetch) {
    traced.fetch = (request, env, context) => {
      const tracer = begin(env);
      const { name, attributes } = describe(request);
      const parent = request.headers.get("traceparent");
      const handle = () => handler.fetch(request, env, context);
      return run(tracer, context, name, { kind: SpanKind.SERVER, parent, attributes }, handle, judgeResponse);
    };
  }
  if (handler.scheduled) {
    traced.scheduled = (event, env, context) => {
      const attributes = { "faas.trigger": "timer", "faas.cron": event.cron };
      return run(begin(env), context, "scheduled", { parent: null, attributes }, () => handler.scheduled(event, env, context));
    };
  }
  if (handler.queue) {
    traced.queue = (batch, env, context) => {
      const attributes = {
        "messaging.system": "cloudflare_queues",
        "messaging.destination.name": batch.queue,
        "messaging.batch.message_count": batch.messages.length,
        "messaging.operation.type": "process",
      };
      const handle = () => handler.queue(batch, env, context);
      return run(begin(env), context, `process ${batch.queue}`, { kind: SpanKind.CONSUMER, parent: null, attributes }, handle);
    };
  }
  return traced;
}
