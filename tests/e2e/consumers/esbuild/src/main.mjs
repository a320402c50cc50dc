/** A page as README.md shows it first: three lines, a span of its own, and what comes after an await. */

import { init } from "clewline";
import { traceWeb } from "clewline/web";

const tracer = init({ serviceName: "shop-web", endpoint: "http://localhost:4318", instrumentations: [traceWeb()] });

import { SpanStatusCode } from "clewline";

const button = /** @type {HTMLElement} */ (document.querySelector("#checkout"));

button.onclick = () =>
  tracer.startActiveSpan("checkout", async (span) => {
    span.setAttribute("cart.items", 3);
    try {
      const response = await fetch("/api/checkout", { method: "POST" }); // a child of "checkout"
      span.addEvent("answered", { ok: response.ok });
    } catch (error) {
      span.recordException(error).setStatus({ code: SpanStatusCode.ERROR });
    } finally {
      span.end();
    }
  });

const reportButton = /** @type {HTMLElement} */ (document.querySelector("#report"));

reportButton.onclick = () =>
  tracer.startActiveSpan("report", async (span) => {
    const list = await fetch("/api/orders"); // before the first await: a child by itself
    const orders = await list.json();
    for (const id of orders) await span.fetch(`/api/orders/${id}`); // after it: say so
    using drawing = tracer.startSpan("draw", { parent: span });
    drawing.setAttribute("orders", orders.length);
    span.end();
  });

// For whoever looks at this page from outside.
Object.assign(window, { tracer });
