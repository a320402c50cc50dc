/** The entry for Vercel's edge runtime, bundled as its bundler does: the module by its suffix, contexts through promises, sending when told. */

import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import { build } from "esbuild";

import { DIST, balance, recordingFetch, withGlobals } from "./support.mjs";

/** What this runtime makes of `import module from "….wasm?module"`. */
const modules = {
  name: "modules",
  setup({ onLoad, onResolve }) {
    onResolve({ filter: /\.wasm\?module$/ }, ({ path: given, resolveDir }) => ({ path: path.join(resolveDir, given.replace("?module", "")), namespace: "module" }));
    onLoad({ filter: /./, namespace: "module" }, async ({ path: file }) => ({
      contents: `export default new WebAssembly.Module(Uint8Array.from(atob("${(await readFile(file)).toString("base64")}"), (c) => c.charCodeAt()))`,
    }));
  },
};

test("requests at the same time are kept apart, and nothing leaves before a flush", async (t) => {
  const directory = await mkdtemp(path.join(tmpdir(), "clewline-edge-"));
  t.after(() => rm(directory, { recursive: true }));
  const contents = 'export * from "clewline"; export { traceFetch } from "clewline/fetch";';
  const alias = { clewline: fileURLToPath(new URL("edge-light.mjs", DIST)), "clewline/fetch": fileURLToPath(new URL("fetch.mjs", DIST)) };
  const options = { alias, plugins: [modules], bundle: true, format: "esm", platform: "neutral", conditions: ["edge-light"], write: false };
  const { outputFiles } = await build({ stdin: { contents, resolveDir: directory }, ...options });
  const file = path.join(directory, "middleware.mjs");
  await writeFile(file, outputFiles[0].text);

  const network = recordingFetch();
  withGlobals(t, { fetch: network.fetch, AsyncLocalStorage });
  const { init, stats, traceFetch } = await import(pathToFileURL(file));
  const begin = () => init({ serviceName: "edge", endpoint: "http://collector.test", flushInterval: 1, instrumentations: [traceFetch()] });
  const tracer = begin();
  assert.equal(begin(), tracer);
  await Promise.all(
    ["one", "two"].map((name) =>
      tracer.startActiveSpan(name, async (span) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        await fetch(`http://api.test/${name}`);
        span.end();
      }),
    ),
  );
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(network.exports().length, 0);
  await tracer.flush();
  const spans = network.spans();
  assert.equal(spans.length, 4);
  for (const name of ["one", "two"]) {
    const [parent] = spans.filter((span) => span.name === name);
    const [request] = spans.filter((span) => span.attributes["url.full"] === `http://api.test/${name}`);
    assert.equal(request.parentSpanId, parent.spanId);
  }
  assert.equal(balance(stats()), stats().started);
  await tracer.shutdown();
});
