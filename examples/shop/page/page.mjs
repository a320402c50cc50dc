/** The shop's page: a cart, one button, and one trace from the load of the page to the payment. */

import { SpanStatusCode, init } from "clewline";
import { traceWeb } from "clewline/web";

const collector = document.querySelector('meta[name="collector"]').content;
const find = (testid) => document.querySelector(`[data-testid="${testid}"]`);
const button = find("checkout");
const outcome = find("outcome");

// From here on the page's load, clicks and requests are spans; all of one visit are one trace here, which is short.
const tracer = init({ serviceName: "shop-web", endpoint: collector, instrumentations: [traceWeb({ oneTrace: true })] });

const price = (cents) => `€${(cents / 100).toFixed(2)}`;

button.addEventListener("click", () => tracer.startActiveSpan("checkout", checkout));
void showCart();

async function showCart() {
  const response = await fetch("/api/cart");
  const items = await response.json();
  find("items").replaceChildren(...items.map(row));
  find("total").textContent = price(items.reduce((sum, { cents }) => sum + cents, 0));
  button.disabled = false;
}

function row({ name, cents }) {
  const [label, dots, cost] = ["span", "span", "b"].map((tag) => document.createElement(tag));
  label.textContent = name[0].toUpperCase() + name.slice(1);
  dots.className = "dots";
  cost.textContent = price(cents);
  const item = document.createElement("li");
  item.append(label, dots, cost);
  return item;
}

async function checkout(span) {
  const { traceId } = span.spanContext();
  button.disabled = true;
  show("busy", "One moment …", "Loading the cart, reserving stock, charging the card.", traceId);
  try {
    // Called before the first await, so the request becomes a child of the checkout.
    const response = await fetch(`/api/checkout${find("fail").checked ? "?fail=1" : ""}`, { method: "POST" });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    span.setAttribute("order.id", answer.order_id);
    show("done", "Thank you!", `Order ${answer.order_id}, ${price(answer.total_cents)}. Mind the Minotaur.`, traceId);
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
