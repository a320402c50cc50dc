/**
 * Instruments `fetch`: a CLIENT span per request, named and described by the HTTP semantic conventions, and a `traceparent` header
 * where propagation is allowed.
 *
 * The span ends when the response's headers arrive (or the request fails), so a body is never touched, copied or held.
 */

import { httpUrl } from "./options.mjs";
import { SpanKind, SpanStatusCode } from "./span.mjs";

/** Methods a span may be named after (semantic conventions, "http.request.method"); others are `_OTHER`, to keep names few. */
const METHODS = /^(CONNECT|DELETE|GET|HEAD|OPTIONS|PATCH|POST|PUT|QUERY|TRACE)$/;
/** Methods that `fetch` itself turns into capitals (Fetch standard, "normalize a method"). */
const NORMALIZED = /^(DELETE|GET|HEAD|OPTIONS|POST|PUT)$/i;

/** Replaces `globalThis.fetch`; answers a function that undoes it. */
export function instrumentFetch(tracer, options) {
  const original = globalThis.fetch;
  let on = true;

  function fetch(input, init) {
    const call = on && describe(input, init, options);
    if (!call) return Reflect.apply(original, this, arguments);
    const span = tracer.startSpan(call.name, { kind: SpanKind.CLIENT, attributes: call.attributes });
    const args = mayPropagate(call.url, options.propagateTo) ? withTraceparent(span, input, init) : arguments;
    return Reflect.apply(original, this, args).then(
      (response) => {
        finish(span, response.status);
        return response;
      },
      (error) => {
        span.setAttribute("error.type", error?.name || "Error");
        span.setStatus({ code: SpanStatusCode.ERROR, message: error?.message });
        span.end();
        throw error;
      },
    );
  }

  globalThis.fetch = fetch;
  return () => {
    on = false;
    if (globalThis.fetch === fetch) globalThis.fetch = original;
  };
}

/** What the span says of the request, or `undefined` for one that is not traced: not HTTP, not valid, or an export of spans. */
function describe(input, init, options) {
  try {
    const request = input instanceof Request ? input : undefined;
    const url = httpUrl(request ? request.url : input);
    if (!url || url.href.startsWith(options.endpoint)) return undefined;
    const given = String(init?.method ?? request?.method ?? "GET");
    const method = NORMALIZED.test(given) ? given.toUpperCase() : given;
    const known = METHODS.test(method);
    const attributes = {
      "http.request.method": known ? method : "_OTHER",
      "http.request.method_original": known ? undefined : method,
      "url.full": url.origin + url.pathname + (options.recordQuery ? url.search : ""),
      "server.address": url.hostname,
      "server.port": Number(url.port) || (url.protocol === "https:" ? 443 : 80),
    };
    return { url, name: known ? method : "HTTP", attributes };
  } catch {
    // Whatever is odd about the arguments, the real fetch will say it.
    return undefined;
  }
}

function finish(span, status) {
  // 0: a response the page may not look into (mode "no-cors").
  if (status) span.setAttribute("http.response.status_code", status);
  if (status >= 400) {
    span.setAttribute("error.type", String(status));
    span.setStatus({ code: SpanStatusCode.ERROR });
  }
  span.end();
}

/** Same origin, or listed: an address (itself and what lies below its path), a pattern for the whole address, or a function. */
function mayPropagate(url, targets) {
  if (url.origin === globalThis.location?.origin) return true;
  return targets.some((target) => {
    if (typeof target === "string") {
      const { origin, pathname } = httpUrl(target);
      return url.origin === origin && `${url.pathname}/`.startsWith(pathname.endsWith("/") ? pathname : `${pathname}/`);
    }
    if (target instanceof RegExp) return url.href.search(target) >= 0;
    try {
      return target(new URL(url)) === true;
    } catch {
      return false;
    }
  });
}

/** The arguments with the header added, unless the caller set one; what the caller passed is not changed. */
function withTraceparent(span, input, init) {
  try {
    const isRequest = input instanceof Request;
    const headers = new Headers(init?.headers ?? (isRequest ? input.headers : undefined));
    if (headers.has("traceparent")) return [input, init];
    headers.set("traceparent", span.traceparent());
    if (!isRequest && (init === undefined || init === null || isPlain(init))) return [input, { ...init, headers }];
    // A Request's other members are its own business: let the platform copy it, then add to the copy.
    const request = new Request(input, init ?? undefined);
    request.headers.set("traceparent", span.traceparent());
    return [request];
  } catch {
    return [input, init];
  }
}

const isPlain = (object) => [Object.prototype, null].includes(Object.getPrototypeOf(object));
