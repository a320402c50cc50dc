/** The JavaScript of a page whose checkout is written in Rust; both record the same trace. */

import { init } from "./clewline/index.mjs"; // with a bundler: from "clewline"
import startRust, { checkout, ledger } from "./pkg/rust_page.js";

const tracer = init({ serviceName: "shop-page", endpoint: "/" });
await startRust();

const element = (id) => document.querySelector(`[data-testid="${id}"]`);
element("checkout").disabled = false;
element("checkout").onclick = async () => {
  const click = tracer.startSpan("click");
  try {
    await checkout(7, click.traceparent(), (receipt, parent) => {
      // JavaScript again, within Rust's span.
      const span = tracer.startSpan("show receipt", { parent });
      element("receipt").textContent = receipt;
      span.end();
    });
  } finally {
    click.end();
    element("ledger").textContent = ledger();
  }
};
