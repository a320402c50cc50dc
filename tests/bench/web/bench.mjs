/**
 * The benchmark of the npm package: `node tests/bench/web/bench.mjs`, or `cargo xtask bench --web`.
 *
 * Bundles each case, runs it in Node.js and in headless Chromium, one after the other and several times over, and prints the least of each
 * figure. Compare columns, not machines.
 */

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { once } from "node:events";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const from = (directory, name) => import(pathToFileURL(createRequire(join(HERE, directory, "package.json")).resolve(name)));
const { build } = await from("../../../wasm", "esbuild");
const { startBrowser } = await import("../../e2e/support/browser.mjs");

const TURNS = 3;
/** The finest that a page's clock tells apart, in milliseconds. */
const TICK = 0.005;
const CASES = [
  ["Clewline", "clewline.mjs", "../../../wasm"],
  ["OpenTelemetry-JS 2.12", "opentelemetry.mjs", "opentelemetry-2"],
  ["OpenTelemetry-JS 3.0", "opentelemetry.mjs", "opentelemetry-3"],
];
const FIGURES = [
  ["span", "root span with 4 attributes", "ns", 0],
  ["unsampled", "the same, not sampled", "ns", 0],
  ["encode", "512 spans with 8 attributes as OTLP", "ms", 4],
  ["bytes", "what that takes", "bytes", 0],
  ["clock", "two readings of the clock alone", "ns", 0],
];

/** A script that measures a case and answers the figures from `globalThis.figures()`. */
async function bundle(file, directory) {
  const contents = `import { measure } from ${JSON.stringify(join(HERE, "measure.mjs"))};
    import * as tested from ${JSON.stringify(join(HERE, "cases", file))};
    globalThis.figures = () => measure(tested);`;
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: HERE },
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    platform: "browser",
    nodePaths: [join(HERE, directory, "node_modules")],
    alias: { "clewline": join(HERE, "../../../wasm/dist") },
    write: false,
  });
  return outputFiles[0].text;
}

function inNode(script) {
  const directory = mkdtempSync(join(tmpdir(), "clewline-bench-"));
  try {
    const file = join(directory, "case.mjs");
    writeFileSync(file, `${script}\nconsole.log(JSON.stringify(await figures()));`);
    return JSON.parse(execFileSync(process.execPath, [file], { encoding: "utf8", timeout: 120_000 }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** A page that may read the clock finely: isolated from other origins. */
async function inPage(browser, script) {
  const server = createServer((request, response) => {
    const isolated = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" };
    const [type, body] = request.url === "/case.js" ? ["text/javascript", script] : ["text/html", '<script src="/case.js"></script>'];
    response.writeHead(200, { ...isolated, "content-type": type });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const page = await browser.newPage();
  try {
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    return await page.evaluate("figures()");
  } finally {
    await page.close();
    server.closeAllConnections();
    server.close();
  }
}

const browser = await startBrowser();
const places = [
  [`Node.js ${process.version}`, async (script) => inNode(script)],
  [`Chromium ${browser.version()}`, (script) => inPage(browser, script)],
];
const scripts = await Promise.all(CASES.map(([, file, directory]) => bundle(file, directory)));
try {
  for (const [place, run] of places) {
    const results = CASES.map(() => ({}));
    // In turns, so that a machine that is busy for a while is busy for all.
    for (let turn = 0; turn < TURNS; turn++) {
      for (const [index, script] of scripts.entries()) {
        for (const [name, value] of Object.entries(await run(script))) results[index][name] = Math.min(results[index][name] ?? Infinity, value);
      }
    }
    console.log(`\n${place}${" ".repeat(44 - place.length)}${CASES.map(([name]) => name.padStart(26)).join("")}`);
    for (const [name, about, unit, digits] of FIGURES) {
      const [ours] = results.map((result) => result[name]);
      const cells = results.map((result, index) => {
        const times = index && name !== "clock" ? ` (${ours ? "" : "> "}${(result[name] / (ours || TICK)).toFixed(1)}x)` : "";
        return `${result[name] ? result[name].toFixed(digits) : `< ${TICK}`} ${unit}${times}`.padStart(26);
      });
      console.log(`  ${about.padEnd(42)}${cells.join("")}`);
    }
  }
} finally {
  await browser.close();
}
