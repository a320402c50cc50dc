/** Sends ended spans to the collector: in batches, within the budget of a leaving page, with bounded retry, and counts every outcome. */

/** A batch of so many bytes is sent at once instead of after the interval. */
const FULL = 32 * 1024;
/** All keepalive requests of a page share 64 KiB (Fetch standard, "HTTP-network-or-cache fetch"); some is left to others. */
const KEEPALIVE_BUDGET = 60 * 1024;
/** A request this small is worth sending while a page leaves; what is left over waits. */
const SMALLEST = 512;
const TIMEOUT = 10_000;
const ATTEMPTS = 5;
/** The answers that OTLP calls retryable (OTLP 1.x, "Failures"). */
const RETRYABLE = [429, 502, 503, 504];

export class Transport {
  #store;
  #clock;
  #fetch;
  #url;
  #headers;
  #interval;
  #canKeepAlive = typeof Request === "function" && "keepalive" in Request.prototype;

  #timer;
  #due = Infinity;
  /** Before this moment (`Date.now()`) the server is left alone, unless the page leaves or somebody asks for a flush. */
  #notBefore = 0;
  #running;
  #stopped = false;
  /** Requests that failed and may be sent again, oldest first. Bounded: one from the loop, and one keepalive budget. */
  #waiting = [];
  #keepaliveBytes = 0;
  #inFlight = 0;
  #delivered = 0;
  #handedOver = 0;
  #rejected = 0;
  #undelivered = 0;

  constructor(options, store, clock, fetch) {
    this.#store = store;
    this.#clock = clock;
    this.#fetch = fetch;
    this.#url = options.endpoint;
    this.#headers = { ...options.headers, "content-type": "application/x-protobuf" };
    this.#interval = options.flushInterval;
  }

  /** Whether nothing is planned: a good moment to compare clocks. */
  get idle() {
    return this.#timer === undefined && !this.#running;
  }

  /** A span ended and the batch now holds so many bytes. */
  ended(bytes) {
    if (this.#running || (this.#timer !== undefined && bytes < FULL)) return;
    this.#schedule(bytes >= FULL ? 0 : this.#interval);
  }

  /** Tries once to deliver everything there is; what fails is kept and sent later. */
  async flush() {
    await this.#running;
    this.#clear();
    await this.#pump(true);
  }

  /** The page may be gone in a moment: hand over as much as the keepalive budget allows, now, oldest first. */
  flushBeforeLeaving() {
    this.#clock.check();
    for (;;) {
      const room = KEEPALIVE_BUDGET - this.#keepaliveBytes;
      const request = room >= SMALLEST && this.#next(room);
      if (!request) return;
      if (this.#canKeepAlive) void this.#send(request);
      else if (!this.#beacon(request)) return this.#waiting.unshift(request);
    }
  }

  /** No more timers; `flush` still works. */
  stop() {
    this.#stopped = true;
    this.#clear();
  }

  stats() {
    const waiting = this.#waiting.reduce((sum, request) => sum + request.spans, this.#inFlight);
    return {
      delivered: this.#delivered,
      handedOver: this.#handedOver,
      rejected: this.#rejected,
      undelivered: this.#undelivered,
      waiting,
    };
  }

  #schedule(delay) {
    const now = Date.now();
    const due = Math.max(now + delay, this.#notBefore);
    if (this.#stopped || due >= this.#due) return;
    this.#clear();
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#clear();
      void this.#pump(false);
    }, due - now);
    // Node: waiting spans do not keep a process alive; `shutdown` delivers them.
    this.#timer.unref?.();
  }

  #clear() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#due = Infinity;
  }

  #pump(all) {
    this.#running ??= this.#run(all);
    return this.#running;
  }

  /** One request after the other: all there are, or while they are full and the server takes them. */
  async #run(all) {
    // From here on `#running` is set.
    await undefined;
    try {
      this.#clock.check();
      for (let request; (request = this.#next(KEEPALIVE_BUDGET)); ) {
        const settled = await this.#send(request);
        if (!settled || (!all && (request.bytes.length < FULL || Date.now() < this.#notBefore))) break;
      }
    } finally {
      // Whatever went wrong here must not keep later spans from leaving.
      this.#running = undefined;
    }
    if (this.#waiting.length || this.#store.batched()) this.#schedule(this.#interval);
  }

  #next(max) {
    const index = this.#waiting.findIndex((request) => request.bytes.length <= max);
    if (index >= 0) return this.#waiting.splice(index, 1)[0];
    const taken = this.#store.take(max);
    return taken && { ...taken, attempts: 0 };
  }

  /** Sends one request. Answers whether it is settled; if not, it waits among the others. */
  async #send(request) {
    const { bytes, spans } = request;
    // The browser refuses a keepalive request when others have spent the budget; so only the first attempt is one.
    const keepalive = this.#canKeepAlive && request.attempts === 0 && this.#keepaliveBytes + bytes.length <= KEEPALIVE_BUDGET;
    const reserved = keepalive ? bytes.length : 0;
    request.attempts += 1;
    this.#inFlight += spans;
    this.#keepaliveBytes += reserved;
    let status = 0;
    let retryAfter = 0;
    let answer = new ArrayBuffer(0);
    try {
      const response = await Reflect.apply(this.#fetch, globalThis, [
        this.#url,
        { method: "POST", headers: this.#headers, body: bytes, keepalive, signal: AbortSignal.timeout(TIMEOUT) },
      ]);
      status = response.status;
      retryAfter = Number(response.headers.get("retry-after")) || 0;
      answer = await response.arrayBuffer();
    } catch {
      // No answer, status 0, is as retryable as a busy server. With a status, only the answer's body was lost.
    }
    this.#inFlight -= spans;
    this.#keepaliveBytes -= reserved;

    if (status >= 200 && status < 300) {
      const refused = Math.min(spans, rejectedSpans(new Uint8Array(answer)));
      this.#rejected += refused;
      this.#delivered += spans - refused;
      this.#notBefore = 0;
    } else if (status && !RETRYABLE.includes(status)) {
      this.#rejected += spans;
    } else if (request.attempts >= ATTEMPTS) {
      this.#undelivered += spans;
    } else {
      this.#again(request, retryAfter);
      return false;
    }
    return true;
  }

  /** Keeps a request for later: 1, 2, 4, 8 seconds give or take a fifth, or what the server asked for, at most a minute. */
  #again(request, retryAfter) {
    this.#waiting.push(request);
    const backOff = 1000 * 2 ** (request.attempts - 1) * (0.8 + 0.4 * Math.random());
    this.#notBefore = Date.now() + Math.min(60_000, Math.max(backOff, retryAfter * 1000));
    this.#schedule(0);
  }

  /** For browsers whose fetch has no keepalive. A beacon cannot carry headers, and nobody says whether it arrived. */
  #beacon({ bytes, spans }) {
    const body = new Blob([bytes], { type: this.#headers["content-type"] });
    const taken = navigator.sendBeacon?.(this.#url, body) ?? false;
    if (taken) this.#handedOver += spans;
    return taken;
  }
}

/** `partial_success.rejected_spans` of an ExportTraceServiceResponse: field 1 within field 1. Anything unexpected counts as none. */
export function rejectedSpans(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let factor = 1; at < bytes.length; factor *= 128) {
      const byte = bytes[at++];
      value += (byte & 127) * factor;
      if (byte < 128) break;
    }
    return value;
  };
  if (varint() !== 0x0a) return 0;
  varint();
  return varint() === 0x08 ? varint() : 0;
}
