/** The shop's page: one button, and one trace for every click on it. */

import { SpanStatusCode, init } from "/clewline/index.mjs";
import { traceFetch } from "/clewline/fetch.mjs";

const collector = document.querySelector('meta[name="collector"]').content;
const find = (testid) => document.querySelector(`[data-testid="${testid}"]`);
const button = find("checkout");
const outcome = find("outcome");

// From here on every fetch to this shop is a span and carries its trace along.
const tracer = init({ serviceName: "shop-web", endpoint: collector, instrumentations: [traceFetch()] });

button.addEventListener("click", () => {
  tracer.startActiveSpan("checkout click", { attributes: { "ui.element": "checkout" } }, checkout);
});
button.disabled = false;

async function checkout(span) {
  const { traceId } = span.spanContext();
  button.disabled = true;
  show("busy", "One moment …", "Loading the cart, reserving stock, charging the card.", traceId);
  try {
    // Called before the first await, so the request becomes a child of the click.
    const response = await fetch(`/api/checkout${find("fail").checked ? "?fail=1" : ""}`, { method: "POST" });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    span.setAttribute("order.id", answer.order_id);
    show("done", "Thank you!", `Order ${answer.order_id}, €${(answer.total_cents / 100).toFixed(2)}. Mind the Minotaur.`, traceId);
  } catch (error) {
    span.recordException(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    show("failed", "That did not work.", `The shop says: ${error.message}.`, traceId);
  } finally {
    span.end();
    button.disabled = false;
  }
}

function show(state, headline, detail, traceId) {
  outcome.dataset.state = state;
  find("headline").textContent = headline;
  find("detail").textContent = detail;
  find("trace-id").textContent = traceId;
  find("trace-link").href = `${collector}/#/trace/${traceId}`;
  outcome.querySelector("dl").hidden = false;
}
