/**
 * What the package weighs in an application, bundled and minified by esbuild, and with `--rust-page <folder>` what a page in Rust weighs, as
 * wasm-bindgen left it there: `node wasm/size.mjs [--bless] [--peers] [--rust-page <folder>]`.
 *
 * Compares with budget.txt, which `--bless` writes, as it does the table in README.md, and with what we promise. Peers, shown beside, are the same application by other
 * libraries, bundled in the same way.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import binaryen from "binaryen";
import { build, transform } from "esbuild";

import { withSizes } from "./sizes-in-readme.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(HERE, "dist");
const BUDGET = join(HERE, "budget.txt");
const README = join(HERE, "README.md");
/** Another version of a compiler makes other code: how much more than the budget is still within it. */
const ALLOWANCE = 1.03;
/** What a part adds is the difference of two compressed files, which any other change of either moves by some bytes. */
const NOISE = 32;

const INIT = 'import { init } from "./index.mjs";';
/** The smallest realistic application: tracer, batch, OTLP and `fetch`. */
const APPLICATION = `${INIT} import { traceFetch } from "./fetch.mjs";
init({ serviceName: "shop", endpoint: "/otlp", instrumentations: [traceFetch()] });`;
/** What each further entry adds to it. */
const FURTHER = Object.fromEntries(
  [
    ["xhr", "traceXhr"],
    ["timing", "traceTiming"],
    ["document-load", "traceDocumentLoad"],
    ["interaction", "traceInteraction"],
    ["navigation", "traceNavigation"],
    ["web-vitals", "traceWebVitals"],
    ["long-tasks", "traceLongTasks"],
    ["errors", "traceErrors"],
    ["visibility", "traceVisibility"],
    ["session", "session"],
    ["offline", "keepOffline"],
    ["json", "sendJson"],
    ["gzip", "sendGzip"],
    ["workers", "adoptFromWorkers"],
    ["web", "traceWeb"],
  ].map(([entry, name]) => [entry, `import { ${name} } from "./${entry}.mjs"; console.log(${name});`]),
);

/** The most that gzip and brotli may leave, in bytes, whatever the budget says. */
const PROMISES = { "core.wasm": [Infinity, 4096], application: [9216, 8192] };

/** The page in Rust, all of it: the module, optimised, and minified what it needs of JavaScript. */
const RUST = "examples/rust-page";

const bless = process.argv.includes("--bless");
const rustPage = process.argv.includes("--rust-page") && process.argv[process.argv.indexOf("--rust-page") + 1];

const BENCH = join(HERE, "../tests/bench/web");
/** Where each peer's packages are installed. */
const PEERS = process.argv.includes("--peers")
  ? { "OpenTelemetry-JS 2.12 (JSON)": "opentelemetry-2", "OpenTelemetry-JS 3.0 (JSON)": "opentelemetry-3" }
  : {};

const rows = { "core.wasm": sizes(readFileSync(join(DIST, "core.wasm"))) };
rows["tracer alone"] = await bundled(`${INIT} init({ serviceName: "shop" });`);
rows.application = await bundled(APPLICATION);
for (const [name, code] of Object.entries(FURTHER)) {
  const whole = await bundled(`${code}\n${APPLICATION}`);
  rows[`+ ${name}`] = whole.map((size, index) => size - rows.application[index]);
}
if (rustPage) rows[RUST] = await sizesOfRust(rustPage);

if (bless) {
  // What was not measured stays as it was.
  writeFileSync(BUDGET, written({ ...rows, [RUST]: rows[RUST] ?? read(BUDGET)[RUST] }));
  writeFileSync(README, withSizes(readFileSync(README, "utf8"), rows)[0]);
}
const budget = read(BUDGET);
const over = [];
console.log(`  ${"bytes as a browser fetches them".padEnd(44)}     raw    gzip  brotli  budget`);
for (const [name, row] of Object.entries(rows)) {
  const allowed = budget[name];
  show(name, row, allowed?.[2]);
  if (!allowed) over.push(`${name} has no budget`);
  else if (row.some((size, index) => size > most(allowed[index], name.startsWith("+ ") && index > 0))) over.push(`${name}: ${row.join(", ")}, budget ${allowed.join(", ")}`);
  const promise = PROMISES[name];
  if (promise && (row[1] > promise[0] || row[2] > promise[1])) over.push(`${name}: ${row.join(", ")} is more than we promise`);
}
for (const name of Object.keys(budget)) if (!rows[name] && name !== RUST) over.push(`${name} is in the budget, but not measured`);
for (const [name, directory] of Object.entries(PEERS)) {
  show(name, await bundled(readFileSync(join(BENCH, "opentelemetry-application.mjs"), "utf8"), join(BENCH, directory)));
}
if (over.length) {
  console.error(`over budget; where that is meant, \`cargo xtask size --bless\`:\n    ${over.join("\n    ")}`);
  process.exitCode = 1;
}

/** How much is within the budget. */
function most(allowed, isDifference) {
  return Math.max(allowed * ALLOWANCE, isDifference ? allowed + NOISE : 0);
}

function show(name, row, allowed = "") {
  console.log(`  ${name.padEnd(44)}${row.map((size) => String(size).padStart(8)).join("")}${String(allowed).padStart(8)}`);
}

function sizes(bytes) {
  return [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length];
}

/** The sizes of a page in Rust: module and script, which a browser fetches one by one. */
async function sizesOfRust(directory) {
  const module = binaryen.readBinary(readFileSync(join(directory, "rust_page_bg.wasm")));
  const { MutableGlobals, SignExt, NontrappingFPToInt, BulkMemory, BulkMemoryOpt, ReferenceTypes, Multivalue } = binaryen.Features;
  module.setFeatures(MutableGlobals | SignExt | NontrappingFPToInt | BulkMemory | (BulkMemoryOpt ?? 0) | ReferenceTypes | Multivalue);
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  module.optimize();
  module.runPasses(["strip-debug", "strip-producers", "strip-target-features"]);
  const parts = [sizes(Buffer.from(module.emitBinary()))];
  module.dispose();
  const { code } = await transform(readFileSync(join(directory, "rust_page.js"), "utf8"), { minify: true, format: "esm", target: "es2022" });
  parts.push(sizes(Buffer.from(code)));
  return parts[0].map((size, index) => size + parts[1][index]);
}

/** The sizes of a script with all that it imports from `directory`. */
async function bundled(code, directory = DIST) {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: directory },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "browser",
    write: false,
  });
  return sizes(outputFiles[0].contents);
}

function written(rows) {
  const lines = Object.entries(rows).map(([name, row]) => `${name}: ${row.join(" ")}`);
  return ["# Raw, gzip and brotli bytes of the npm package: `cargo xtask size` compares, `cargo xtask size --bless` writes.", ...lines, ""].join("\n");
}

function read(file) {
  const lines = readFileSync(file, "utf8").split("\n").filter((line) => line && !line.startsWith("#"));
  return Object.fromEntries(lines.map((line) => [line.split(": ")[0], line.split(": ")[1].split(" ").map(Number)]));
}
