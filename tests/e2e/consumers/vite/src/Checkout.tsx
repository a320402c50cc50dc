/** A button whose work is a span of its own, below the click. */

import { useState } from "react";
import { tracer } from "./tracing";

export function Checkout() {
  const [order, setOrder] = useState("");
  const checkout = () =>
    tracer.startActiveSpan("checkout", async (span) => {
      const response = await fetch("/api/checkout", { method: "POST" });
      const { id } = (await response.json()) as { id: string };
      span.setAttribute("order.id", id).end();
      setOrder(id);
    });
  return <button id="checkout" onClick={() => void checkout()}>Checkout {order}</button>;
}
