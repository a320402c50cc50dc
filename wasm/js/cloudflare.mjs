/** Traces a Cloudflare Worker: a span of each request, of each alarm clock and of each batch of messages that it handles. */

import { traceFetch } from "./fetch.mjs";
import { readOptions } from "./options.mjs";
import { SpanKind, describe as describeError } from "./span.mjs";
import { handOnTraceState, tracePassedOn, withTraceState } from "./trace-state.mjs";
import { startActiveSpan } from "./tracer.mjs";
import { init } from "./workerd.mjs";

export { SpanKind, SpanStatusCode, stats } from "./workerd.mjs";

/** Methods a span may be named after (semantic conventions, "http.request.method"); others are `_OTHER`, to keep names few. */
const METHODS = /^(CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|QUERY|TRACE)$/;

let running;

/** The tracer, for a Worker's own spans. */
export function tracer() {
  if (!running) throw new Error("clewline: call tracer() while an instrumented handler runs");
  return running;
}

/**
 * A Worker's handler, traced: an object of functions, or a class of `fetch`, `scheduled`, `queue` and `alarm`, as entry points and
 * Durable Objects are. `options` are those of `init` and of `traceFetch`, or a function of the environment that answers them.
 * @throws {TypeError} with the name of the option that is wrong; a function's are judged by the first event, which fails for no such reason
 */
export function instrument(handler, options) {
  const given = typeof options === "function" ? options : () => options;
  if (given !== options) readOptions(split(options).rest);

  let recordQuery;
  /** The tracer, as of the first event: before, a Worker has no random numbers and no time. */
  function begin(env) {
    try {
      const { requests, rest } = split(given(env));
      ({ recordQuery } = requests);
      handOnTraceState();
      return (running = init({ instrumentations: [traceFetch(requests), tracePassedOn], ...rest }));
    } catch (error) {
      // What a Worker is there for goes on; nothing is recorded.
      if (!running) console.error(`clewline: this Worker is not traced: ${error.message}`);
      return (running ??= init({ serviceName: "untraced", sampleRatio: 0 }));
    }
  }

  /** Runs one event's function in a span, and sends what has ended when it is done, and when what it left behind is done. */
  async function run([name, span, judge], self, handle, [event, env = self.env, context = self.ctx]) {
    const tracer = begin(env);
    const left = [];
    const work = () => handle.call(self, event, env, context && remembering(context, left));
    try {
      return await startActiveSpan(name(event), span(event, recordQuery), (span) =>
        recorded(span, judge, event instanceof Request ? () => withTraceState(event.headers, work) : work),
      );
    } finally {
      const drained = drain(tracer, left);
      if (context) context.waitUntil(drained);
      // Called without a context, as tests do, nobody else waits for it: what is on its way ends with the request. Objects with a state of
      // their own live on, also those of older classes, which keep it elsewhere.
      else if (self === handler) await drained;
    }
  }

  const events = Object.keys(EVENTS);
  if (typeof handler === "function") {
    const traced = class extends handler {};
    for (const event of events) {
      const handle = handler.prototype[event];
      if (handle) traced.prototype[event] = function (...args) { return run(EVENTS[event], this, handle, args); };
    }
    return traced;
  }
  const traced = Object.create(handler);
  for (const event of events) if (handler[event]) traced[event] = (...args) => run(EVENTS[event], handler, handler[event], args);
  return traced;
}

/** Options of requests, and the rest of them. */
function split({ propagateTo, recordQuery, ...rest } = {}) {
  return { requests: { propagateTo, recordQuery }, rest };
}

/** What is known of each kind of event: a name, the span's options, and a judgement of the answer. */
const EVENTS = {
  fetch: [
    ({ method }) => (METHODS.test(method) ? method : "HTTP"),
    (request, recordQuery) => ({ kind: SpanKind.SERVER, parent: request.headers.get("traceparent"), attributes: describe(request, recordQuery) }),
    (span, response) => {
      span.setAttribute("http.response.status_code", response?.status);
      // The status of a server's span stays unset below 500 (semantic conventions, "HTTP spans, status").
      if (response?.status >= 500) span.setAttribute("error.type", String(response.status)).setStatus({ code: 2 });
    },
  ],
  scheduled: [
    () => "scheduled",
    ({ cron, scheduledTime }) => ({
      kind: SpanKind.SERVER,
      parent: null,
      attributes: { "faas.trigger": "timer", "faas.cron": cron, "faas.time": scheduledTime && new Date(scheduledTime).toISOString() },
    }),
  ],
  queue: [
    ({ queue }) => `process ${queue}`,
    ({ queue, messages }) => ({
      kind: SpanKind.CONSUMER,
      parent: null,
      attributes: {
        "messaging.system": "cloudflare_queues",
        "messaging.destination.name": queue,
        "messaging.batch.message_count": messages.length,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
      },
    }),
  ],
  alarm: [() => "alarm", () => ({ kind: SpanKind.SERVER, parent: null, attributes: { "faas.trigger": "timer" } })],
};

/** A request as a server sees it (semantic conventions, "HTTP server span"). */
function describe({ method, url: address, headers, cf }, recordQuery) {
  const url = new URL(address);
  const known = METHODS.test(method);
  return {
    "http.request.method": known ? method : "_OTHER",
    "http.request.method_original": known ? undefined : method,
    "url.path": url.pathname,
    "url.query": (recordQuery && url.search.slice(1)) || undefined,
    "url.scheme": url.protocol.slice(0, -1),
    "server.address": url.hostname,
    "server.port": +url.port || (url.protocol === "https:" ? 443 : 80),
    "user_agent.original": headers.get("user-agent"),
    "network.protocol.version": cf?.httpProtocol?.replace(/^HTTP\//, ""),
  };
}

async function recorded(span, judge, handle) {
  try {
    const answer = await handle();
    judge?.(span, answer);
    return answer;
  } catch (error) {
    const { name = typeof error, message } = describeError(error);
    span.setAttribute("error.type", name).recordException(error).setStatus({ code: 2, message });
    throw error;
  } finally {
    span.end();
  }
}

/** The context of an event, which also remembers what it was asked to wait for. */
const remembering = (context, left) =>
  new Proxy(context, {
    get(target, key) {
      const value = Reflect.get(target, key);
      if (typeof value !== "function") return value;
      return (...args) => {
        if (key === "waitUntil") left.push(args[0]);
        return value.apply(target, args);
      };
    },
  });

async function drain(tracer, left) {
  await tracer.flush();
  while (left.length) {
    await Promise.allSettled(left.splice(0));
    await tracer.flush();
  }
}
