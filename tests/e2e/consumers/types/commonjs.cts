/** A CommonJS module that takes the package by `require`, as Node.js 20.19 and later allow. */

import clewline = require("clewline");

const { init, SpanKind } = clewline;

const start = (): clewline.Tracer => {
  const tracer = init({ serviceName: "commonjs" });
  tracer.startSpan("one", { kind: SpanKind.PRODUCER }).end();
  return tracer;
};

export = { start };
