/** Bundles the shop's page with the npm package, as an application's own build does: `node examples/shop/build.mjs`, once `cargo xtask npm` has run. */

import { cpSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
// Those that build the package have it.
const { build } = createRequire(path("../../wasm/package.json"))("esbuild");

// Where `npm install clewline` would put it.
const installed = path("node_modules/clewline");
rmSync(installed, { recursive: true, force: true });
cpSync(path("../../wasm/dist"), installed, { recursive: true });
await build({
  entryPoints: [path("page/page.mjs")],
  outfile: path("dist/page.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
});
