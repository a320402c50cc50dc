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
  /** Adds the event `exception` with type, message and stack trace, whatever was thrown; what cannot be read is left out. Does not set the status. */
  recordException(exception: unknown, time?: TimeInput): this;
  updateName(name: string): this;
  /** Ends the span; a second call does nothing. */
  end(time?: TimeInput): void;
  spanContext(): Required<SpanContext>;
  /** The value of the W3C `traceparent` header that continues this trace elsewhere. */
  traceparent(): string;
  /** Adds `traceparent` to the headers of a request made by hand, unless they carry one. Answers the same object. */
  inject<H extends Headers | Record<string, string> = Record<string, string>>(headers?: H): H;
  /**
   * Calls `fn` with this span active. In a browser, what starts after an `await` in `fn` is no longer in it: use `parent`, `fetch`, or `run`
   * again.
   */
  run<R>(fn: (span: Span) => R): R;
  /** `fetch`, traced as a child of this span wherever it is called, after an `await` too. */
  fetch: typeof globalThis.fetch;
  /** `end()`, for `using span = tracer.startSpan("…")`. */
  [Symbol.dispose](): void;
}

/** What became of the spans: started = live + batched + waiting + delivered + rejected + abandoned + batchFull + undelivered. */
export interface Stats {
  /** Spans that record. */
  started: number;
  /** Spans that the sampler left out. */
  notSampled: number;
  /** Started and not ended. */
  live: number;
  /** Ended and in the batch. */
  batched: number;
  /** In requests that are on their way, or will be sent again. */
  waiting: number;
  /** Accepted by the collector. */
  delivered: number;
  /** Refused by the collector for good. */
  rejected: number;
  /** Dropped: nobody can end them any more, or they did not end while 2048 others were live. */
  abandoned: number;
  /** Dropped: ended while 256 KiB of others were waiting. */
  batchFull: number;
  /** Dropped: given up after five attempts, or more than eight requests that pages had left behind. */
  undelivered: number;
  /** Put by this page where they outlive it: into localStorage, or with `keepOffline` into the queue. */
  kept?: number;
  /** Taken out of there by this page, whichever put them there; then delivered, rejected, handed over, or undelivered. */
  restored?: number;
  /** With `keepOffline`: given to the browser when a page was left. Nobody will say whether they arrived. */
  handedOver?: number;
  /** With `keepOffline`: dropped from the queue to make room. */
  expired?: number;
  /** Uses of a span that was ended, abandoned or forgotten, other than those that `Span` itself ignores. */
  staleHandles: number;
  /** Parents or links whose `traceparent` was not valid; the span began a new trace, the link was left out. */
  malformedParents: number;
  /** Values over 2048 characters and names over 1024, which were cut. */
  truncatedTexts: number;
}

/** Starts to make spans of something that happens on the page, and answers how to stop; one of the package's other entries makes it. */
export type Instrumentation = () => (() => void) | void;

export interface Tracer {
  startSpan(name: string, options?: SpanOptions): Span;
  /** Starts a span and calls `fn` with it active. `fn` ends the span. */
  startActiveSpan<R>(name: string, fn: (span: Span) => R): R;
  startActiveSpan<R>(name: string, options: SpanOptions, fn: (span: Span) => R): R;
  activeSpan(): Span | undefined;
  /** Tries once to deliver all that has ended; what fails is kept and sent later. */
  flush(): Promise<void>;
  stats(): Stats;
  /** Ends all instrumentations, delivers what there is and stops. `init` may be called again. */
  shutdown(): Promise<void>;
}

export interface InitOptions {
  /** The name under which this application's spans appear. */
  serviceName: string;
  /** The base address of an OTLP/HTTP receiver; `/v1/traces` is appended. May be relative to the page. Default `http://localhost:4318`. */
  endpoint?: string | undefined;
  /** Headers for the export requests, such as an API key. A `content-type` of your own takes the place of OTLP's. */
  headers?: Record<string, string> | undefined;
  /** Further resource attributes. */
  resource?: Record<string, string | number | boolean | readonly (string | number | boolean)[]> | undefined;
  /** The share of new traces to record, 0 to 1. A trace that comes from elsewhere keeps its own decision. Default 1. */
  sampleRatio?: number | undefined;
  /** How long an ended span waits for others, in milliseconds, 1 to 60,000. Default 1000. Neither 30 KiB of spans nor `batchSize` of them wait. */
  flushInterval?: number | undefined;
  /** So many ended spans are sent at once, 1 to 60,000. Default 512. */
  batchSize?: number | undefined;
  /** What makes spans by itself, such as `traceFetch()` from "clewline/fetch". Default none. One that throws is reported by `console.error`. */
  instrumentations?: readonly Instrumentation[] | undefined;
}

/**
 * Starts tracing. A second call with the same options answers the same tracer.
 *
 * @throws TypeError that names the option which is wrong or unknown, or says that the first call's were others
 * @throws Error where the Content-Security-Policy forbids WebAssembly
 */
export declare function init(options: InitOptions): Tracer;

/** `stats()` of the running tracer. Throws before `init`. */
export declare function stats(): Stats;
