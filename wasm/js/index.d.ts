/** Types of the npm package `clewline`: distributed tracing for browsers and edge runtimes. */

/// <reference lib="esnext.disposable" />

/** What an attribute can hold. `null` and `undefined` set nothing. Numbers that are safe integers travel as integers. */
export type AttributeValue = string | number | boolean | readonly (string | number | boolean | null | undefined)[] | null | undefined;

export interface Attributes {
  readonly [key: string]: AttributeValue;
}

/** A moment: a `Date` or milliseconds since 1970. Left out, it is now. */
export type TimeInput = Date | number;

export declare const SpanKind: Readonly<{ INTERNAL: 0; SERVER: 1; CLIENT: 2; PRODUCER: 3; CONSUMER: 4 }>;
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind];

export declare const SpanStatusCode: Readonly<{ UNSET: 0; OK: 1; ERROR: 2 }>;
export type SpanStatusCode = (typeof SpanStatusCode)[keyof typeof SpanStatusCode];

/** The part of a span that travels. */
export interface SpanContext {
  /** 32 lower-case hexadecimal digits. */
  traceId: string;
  /** 16 lower-case hexadecimal digits. */
  spanId: string;
  /** Bit 0: sampled, bit 1: random trace id. */
  traceFlags?: number;
}

/** A relation to another span, of any trace. */
export interface Link {
  context: Span | SpanContext | string;
  attributes?: Attributes;
}

export interface SpanOptions {
  /** The role in a call; `SpanKind.INTERNAL` if left out. */
  kind?: SpanKind;
  attributes?: Attributes;
  links?: readonly Link[];
  /** A span, a span context or the text of a `traceparent` header. `null`: a new trace. Left out: the active span. */
  parent?: Span | SpanContext | string | null;
  startTime?: TimeInput;
}

/** One operation. After `end`, changes have no effect; context and headers can still be read. */
export interface Span {
  /** False for a span that is not sampled, and after the end. */
  isRecording(): boolean;
  /** Sets an attribute; the same key again replaces the value. Values of other types are counted as dropped. */
  setAttribute(key: string, value: AttributeValue): this;
  setAttributes(attributes: Attributes): this;
  addEvent(name: string, attributes?: Attributes, time?: TimeInput): this;
  addLink(link: Link): this;
  /** `OK` is final. A message is kept with `ERROR` only. */
  setStatus(status: { code: SpanStatusCode; message?: string }): this;
  /** Adds the event `exception` with type, message and stack trace. Does not set the status. */
  recordException(exception: unknown, time?: TimeInput): this;
  updateName(name: string): this;
  /** Ends the span; a second call does nothing. */
  end(time?: TimeInput): void;
  spanContext(): Required<SpanContext>;
  /** The value of the W3C `traceparent` header that continues this trace elsewhere. */
  traceparent(): string;
  /** Adds `traceparent` to the headers of a request made by hand, unless they carry one. Answers the same object. */
  inject<H extends Headers | Record<string, string> = Record<string, string>>(headers?: H): H;
  /** Calls `fn` with this span active. What starts after an `await` in `fn` is no longer in it: use `parent`, or `run` again. */
  run<R>(fn: (span: Span) => R): R;
  /** `end()`, for `using span = tracer.startSpan("…")`. */
  [Symbol.dispose](): void;
}

/** What became of the spans: started = live + pending + delivered + handedOver + rejected + all that is dropped. */
export interface Stats {
  /** Spans that record. */
  started: number;
  /** Spans that the sampler left out. */
  notSampled: number;
  ended: number;
  /** Started and not ended. */
  live: number;
  /** Ended and on their way: in the batch, in flight, or waiting to be sent again. */
  pending: number;
  /** Accepted by the collector. */
  delivered: number;
  /** Given to `navigator.sendBeacon`, which never says whether it arrived. */
  handedOver: number;
  /** Refused by the collector for good. */
  rejected: number;
  dropped: {
    /** Never ended while 256 others were live. */
    abandoned: number;
    /** Ended while 256 KiB of others were waiting. */
    batchFull: number;
    /** Given up after five attempts. */
    undelivered: number;
  };
  /** Uses of a span that was ended, abandoned or forgotten, other than those that `Span` itself ignores. */
  staleHandles: number;
  /** Parents or links whose `traceparent` was not valid; the span began a new trace, the link was left out. */
  malformedParents: number;
}

export interface Tracer {
  startSpan(name: string, options?: SpanOptions): Span;
  /** Starts a span and calls `fn` with it active. `fn` ends the span. */
  startActiveSpan<R>(name: string, fn: (span: Span) => R): R;
  startActiveSpan<R>(name: string, options: SpanOptions, fn: (span: Span) => R): R;
  activeSpan(): Span | undefined;
  /** `inject` of the active span; without one, the headers stay as they are. */
  inject<H extends Headers | Record<string, string> = Record<string, string>>(headers?: H): H;
  /** Tries once to deliver all that has ended; what fails is kept and sent later. */
  flush(): Promise<void>;
  stats(): Stats;
  /** Restores `fetch`, delivers what there is and stops. `init` may be called again. */
  shutdown(): Promise<void>;
}

export interface InitOptions {
  /** The name under which this application's spans appear. */
  serviceName: string;
  /** The base address of an OTLP/HTTP receiver; `/v1/traces` is appended. May be relative to the page. Default `http://localhost:4318`. */
  endpoint?: string;
  /** Headers for the export requests, such as an API key. */
  headers?: Record<string, string>;
  /** Further resource attributes. */
  resource?: Record<string, string | number | boolean | readonly (string | number | boolean)[]>;
  /**
   * Which requests to other origins carry `traceparent`: an address (with all that lies below its path), a pattern for the whole address,
   * or a function that answers true. The page's own origin always does. Each of these servers must allow the header (CORS).
   */
  propagateTo?: readonly (string | RegExp | ((url: URL) => boolean))[];
  /** The share of new traces to record, 0 to 1. A trace that comes from elsewhere keeps its own decision. Default 1. */
  sampleRatio?: number;
  /** How long an ended span waits for others, in milliseconds. Default 1000. */
  flushInterval?: number;
  /** Whether `fetch` makes spans. Default true. */
  instrumentFetch?: boolean;
  /** Whether `url.full` keeps the query string. Credentials and fragments are never recorded. Default false. */
  recordQuery?: boolean;
}

/**
 * Starts tracing. A second call with the same options answers the same tracer.
 *
 * @throws TypeError that names the option which is wrong, unknown, or different from the first call's
 */
export declare function init(options: InitOptions): Tracer;

/** `stats()` of the running tracer. Throws before `init`. */
export declare function stats(): Stats;
