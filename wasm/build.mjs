/**
 * Assembles the npm package: `node wasm/build.mjs <module.wasm> <dist>`.
 *
 * Optimises the module with binaryen, checks it against the contract in js/wasm-exports.d.ts, writes it as text into wasm.mjs and as a
 * file, and copies the hand-owned files; module and files call the exports by short names. What it takes is installed by `npm ci` in this
 * directory.
 */

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync } from "node:zlib";

import binaryen from "binaryen";
import { build, transform } from "esbuild";

import { asText } from "./pack.mjs";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** What Chromium 85, Firefox 79 and Safari 15 have in common, all of which rustc's compiler uses by default. */
const { MutableGlobals, SignExt, NontrappingFPToInt, BulkMemory } = binaryen.Features;
const FEATURES = MutableGlobals | SignExt | NontrappingFPToInt | BulkMemory | (binaryen.Features.BulkMemoryOpt ?? 0);
/** Exported by every linker, and of no use here. */
const SURPLUS = ["__data_end", "__heap_base"];
/** What a panic or an allocator would leave in the module. */
const TRACES = /panick|\.rs\b|unwrap|overflow|out of range|alloc/;
/** Per export, in the order of the contract, its name in the package, where each byte counts; a module is told by its memory. */
const DECLARED = [...readFileSync(join(HERE, "js/wasm-exports.d.ts"), "utf8").matchAll(/^ {2}(\w+)[(:]/gm)].map(([, name]) => name);
const SHORT = Object.fromEntries(DECLARED.map((name, index) => [name, index ? String.fromCharCode(96 + index) : name]));
const LICENSES = ["LICENSE-APACHE", "LICENSE-MIT"];

const [input, dist] = process.argv.slice(2);
if (!input || !dist) fail("usage: node wasm/build.mjs <module.wasm> <dist directory>");

const manifest = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));
checkVersion(manifest.version);
const module = readFileSync(input);
checkContract(module);
const wasm = optimised(module);
checkTraces(wasm);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
for (const name of readdirSync(join(HERE, "js"))) if (name !== "wasm-exports.d.ts") writeFileSync(join(dist, name), shortened(readFileSync(join(HERE, "js", name), "utf8")));
for (const name of LICENSES) copyFileSync(join(HERE, "..", name), join(dist, name));
copyFileSync(join(HERE, "README.md"), join(dist, "README.md"));
writeFileSync(join(dist, "core.wasm"), wasm);
writeFileSync(join(dist, "core-js.mjs"), await asJavaScript(wasm));
writeFileSync(join(dist, "version.mjs"), `/** The version of this package, by build.mjs. */\n\nexport const VERSION = "${manifest.version}";\n`);
writeFileSync(join(dist, "wasm.mjs"), inlined(await asText(wasm, within)));
const { scripts, devDependencies, private: _, ...published } = manifest;
writeFileSync(join(dist, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
console.log(`core.wasm: ${wasm.length} bytes, ${brotliCompressSync(wasm).length} with brotli`);

function fail(message) {
  console.error(`build.mjs: ${message}`);
  process.exit(1);
}

function checkVersion(version) {
  const workspace = readFileSync(join(HERE, "../Cargo.toml"), "utf8");
  const expected = /\[workspace\.package\]\s+version = "([^"]+)"/.exec(workspace)?.[1];
  if (version !== expected) fail(`wasm/package.json says version ${version}, the workspace says ${expected}`);
}

/** The module for size, without names and what else nobody needs at run time. */
function optimised(bytes) {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(FEATURES);
  for (const name of SURPLUS) module.removeExport(name);
  rename(module);
  binaryen.setOptimizeLevel(2);
  binaryen.setShrinkLevel(2);
  // The stack comes first in memory and ends there, so a sum that wraps around never is a valid address.
  binaryen.setLowMemoryUnused(true);
  binaryen.setGenerateStackIR(true);
  binaryen.setOptimizeStackIR(true);
  // Each round finds a little more, up to here.
  for (let round = 0; round < 2; round++) {
    module.optimize();
    module.runPasses(["gufa-optimizing"]);
  }
  module.runPasses(["simplify-locals-notee", "dealign", "strip-debug", "strip-producers", "strip-target-features", "reorder-functions", "reorder-locals"]);
  if (!module.validate()) fail("the module needs more than the features that all browsers have");
  const result = Buffer.from(module.emitBinary());
  module.dispose();
  return result;
}

/** Gives the exports their short names in the module. */
function rename(module) {
  for (let index = module.getNumExports(); index--; ) {
    const { name, value, kind } = binaryen.getExportInfo(module.getExportByIndex(index));
    const short = SHORT[name];
    if (short === name) continue;
    module.removeExport(name);
    if (kind === binaryen.ExternalGlobal) module.addGlobalExport(value, short);
    else module.addFunctionExport(value, short);
  }
}

function checkContract(bytes) {
  const module = new WebAssembly.Module(bytes);
  const foreign = WebAssembly.Module.imports(module);
  if (foreign.length) fail(`the module imports ${foreign.map(({ name }) => name).join(", ")}; it must stand alone`);
  const declared = DECLARED.toSorted();
  const exported = WebAssembly.Module.exports(module).map(({ name }) => name).filter((name) => !SURPLUS.includes(name)).sort();
  if (declared.join() !== exported.join()) fail(`the module exports ${exported}; js/wasm-exports.d.ts declares ${declared}`);
}

/** Gives the exports their short names in a script, where they are members of `wasm`. */
function shortened(script) {
  return script.replace(/\bwasm\.(?!mjs")(\w+)/g, (_, name) => `wasm.${SHORT[name] ?? fail(`a script uses wasm.${name}, which is no export`)}`);
}

function checkTraces(bytes) {
  const trace = TRACES.exec(bytes.toString("latin1"));
  if (trace) fail(`the module holds "${trace[0]}": a panic or an allocator was linked`);
}

/** The module as JavaScript, for pages whose policy forbids WebAssembly. */
async function asJavaScript(bytes) {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(FEATURES);
  // What wasm2js has no words for.
  module.runPasses(["llvm-nontrapping-fptoint-lowering", "llvm-memory-copy-fill-lowering", "signext-lowering"]);
  module.optimize();
  const directory = mkdtempSync(join(tmpdir(), "clewline-"));
  const [input, output] = [join(directory, "core.wasm"), join(directory, "core.js")];
  try {
    writeFileSync(input, module.emitBinary());
    const tool = join(dirname(fileURLToPath(import.meta.resolve("binaryen"))), "bin/wasm2js");
    execFileSync(process.execPath, [tool, "-Oz", input, "-o", output]);
    // It would make one instance as soon as it is imported.
    const [body] = readFileSync(output, "utf8").split(/^var retasmFunc/m);
    const contents = `export function instantiate() {${body}\nreturn asmFunc({});\n}`;
    const { code } = await transform(contents, { minify: true, format: "esm", target: "es2022" });
    return `/** The WebAssembly module as JavaScript, by binaryen's wasm2js. Written by build.mjs. */\n\n${code}`;
  } finally {
    rmSync(directory, { recursive: true });
    module.dispose();
  }
}

/** The code that usually stands around the module's text, with it: names in it depend on the text, too. */
async function within(found) {
  const contents = `import { init } from "./index.mjs"; import { traceFetch } from "./fetch.mjs";
init({ serviceName: "shop", endpoint: "/otlp", instrumentations: [traceFetch()] });`;
  const options = { bundle: true, minify: true, format: "esm", target: "es2022", platform: "browser", write: false };
  writeFileSync(join(dist, "wasm.mjs"), inlined(found));
  const { outputFiles } = await build({ stdin: { contents, resolveDir: dist }, ...options });
  return outputFiles[0].text;
}

function inlined({ text, digits, turn }) {
  return `/** The WebAssembly module as text (see pack.mjs), so that loading needs neither a request nor a bundler plug-in. Written by build.mjs. */

const TEXT =
  ${JSON.stringify(text)};

/** The module's bytes. */
export const wasmBytes = () =>
  Uint8Array.from(TEXT.match(/[#$]?./g), (mark) => mark.charCodeAt(mark.length - 1) + (mark[1] ? ${digits} * mark.charCodeAt() + ${(turn - 34 * digits) & 255} : ${turn}));
`;
}
