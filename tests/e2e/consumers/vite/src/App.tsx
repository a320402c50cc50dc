/** A shop of one product, a second route, and a part that fails. */

import { Component, useEffect, useState, type ReactNode } from "react";
import { Checkout } from "./Checkout";

class Boundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };
  static getDerivedStateFromError() {
    return { failed: true };
  }
  override render() {
    return this.state.failed ? <p id="failed">Not now.</p> : this.props.children;
  }
}

function Recommendations(): ReactNode {
  throw new RangeError("nothing to recommend");
}

export function App() {
  const [path, setPath] = useState(location.pathname);
  const [products, setProducts] = useState<string[]>([]);
  useEffect(() => {
    void fetch("/api/products").then(async (response) => setProducts((await response.json()) as string[]));
  }, []);
  const open = (to: string) => {
    history.pushState({}, "", to);
    setPath(to);
  };
  return (
    <main>
      <h1>{path === "/cart" ? "Cart" : "Shop"}</h1>
      <ul>{products.map((product) => <li key={product}>{product}</li>)}</ul>
      <button id="cart" onClick={() => open("/cart")}>Cart</button>
      {path === "/cart" && <Checkout />}
      {path === "/cart" && <Boundary><Recommendations /></Boundary>}
    </main>
  );
}
