/** Bundlers: an application gets the instrumentations that it imports and no others. */

import assert from "node:assert/strict";
import test from "node:test";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { DIST } from "./support.mjs";

const INIT = 'import { init } from "./index.mjs"; init({ serviceName: "shop" });';
/** Each instrumentation, and those of the others that it is made with. */
const INSTRUMENTATIONS = {
  fetch: ["http"],
  xhr: ["http"],
  timing: ["http"],
  "document-load": ["http"],
  interaction: [],
  navigation: [],
  "web-vitals": [],
  "long-tasks": [],
  errors: [],
  visibility: [],
  session: [],
  offline: undefined,
  web: undefined,
};
const PARTS = [...Object.keys(INSTRUMENTATIONS), "http"];

/** The package's files of which something is left in the bundle of `code`. */
async function kept(code) {
  const { metafile } = await build({
    stdin: { contents: code, resolveDir: fileURLToPath(DIST) },
    absWorkingDir: fileURLToPath(DIST),
    bundle: true,
    minify: true,
    format: "esm",
    metafile: true,
    write: false,
  });
  const [{ inputs }] = Object.values(metafile.outputs);
  return Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput ? [file.replace(/\.mjs$/, "")] : []));
}

const instrumentationsIn = async (code) => (await kept(code)).filter((name) => PARTS.includes(name)).sort();

test("the tracer alone has none, imported or not", async () => {
  assert.deepEqual(await instrumentationsIn(INIT), []);
  const unused = Object.keys(INSTRUMENTATIONS).map((name) => `import "./${name}.mjs"; import * as ${name.replace("-", "")} from "./${name}.mjs";`);
  assert.deepEqual(await instrumentationsIn([...unused, INIT].join("\n")), []);
});

for (const [name, others] of Object.entries(INSTRUMENTATIONS)) {
  if (!others) continue;
  test(`${name} brings no other`, async () => {
    const code = `import * as it from "./${name}.mjs"; globalThis.it = it; ${INIT}`;
    assert.deepEqual(await instrumentationsIn(code), [name, ...others].sort());
  });
}

test("web brings those that it names", async () => {
  const found = await instrumentationsIn(`import { traceWeb } from "./web.mjs"; globalThis.it = traceWeb; ${INIT}`);
  for (const name of ["fetch", "xhr", "timing", "document-load", "interaction", "navigation", "errors", "long-tasks", "offline"]) assert.ok(found.includes(name), name);
  for (const name of ["web-vitals", "visibility", "session"]) assert.ok(!found.includes(name), name);
});
