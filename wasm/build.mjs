/**
 * Assembles the npm package: `node wasm/build.mjs <wasm-bindgen web output> <dist>`.
 *
 * Takes the module from wasm-bindgen's output, checks it against the contract in js/wasm-exports.d.ts, writes it as text into wasm.mjs
 * (hexadecimal: larger than base64 on disk, a fifth smaller after compression), copies the hand-owned files and prints all sizes.
 * Needs nothing but Node.
 */

import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

const HERE = fileURLToPath(new URL(".", import.meta.url));
/** wasm-bindgen's own helpers, which this module never calls; anything else would need JavaScript that the package does not have. */
const TOLERATED_IMPORTS = /^(__wbindgen_init_externref_table|__wbg___wbindgen_throw_[0-9a-f]+)$/;
const LICENSES = ["LICENSE-APACHE", "LICENSE-MIT"];

const [input, dist] = process.argv.slice(2);
if (!input || !dist) fail("usage: node wasm/build.mjs <wasm-bindgen web output directory> <dist directory>");

const manifest = JSON.parse(readFileSync(join(HERE, "package.json"), "utf8"));
checkVersion(manifest.version);
const wasm = readModule(input);
checkContract(wasm);

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const sources = readdirSync(join(HERE, "js")).filter((name) => name.endsWith(".mjs") || name === "index.d.ts");
for (const name of sources) copyFileSync(join(HERE, "js", name), join(dist, name));
for (const name of LICENSES) copyFileSync(join(HERE, "..", name), join(dist, name));
copyFileSync(join(HERE, "README.md"), join(dist, "README.md"));
writeFileSync(join(dist, "wasm.mjs"), inlined(wasm));
const { scripts, ...published } = manifest;
writeFileSync(join(dist, "package.json"), `${JSON.stringify(published, null, 2)}\n`);
printSizes();

function fail(message) {
  console.error(`build.mjs: ${message}`);
  process.exit(1);
}

function checkVersion(version) {
  const workspace = readFileSync(join(HERE, "../Cargo.toml"), "utf8");
  const expected = /\[workspace\.package\]\s+version = "([^"]+)"/.exec(workspace)?.[1];
  if (version !== expected) fail(`wasm/package.json says version ${version}, the workspace says ${expected}`);
}

function readModule(directory) {
  const name = readdirSync(directory).find((file) => file.endsWith("_bg.wasm"));
  if (!name) fail(`no *_bg.wasm in ${directory}; run wasm-bindgen --target web first`);
  return withoutCustomSections(readFileSync(join(directory, name)));
}

/** Drops names, producers and the like, which nobody needs at run time. */
function withoutCustomSections(bytes) {
  const parts = [bytes.subarray(0, 8)];
  let at = 8;
  while (at < bytes.length) {
    const start = at++;
    let length = 0;
    for (let factor = 1, byte = 128; byte >= 128; factor *= 128) {
      byte = bytes[at++];
      length += (byte & 127) * factor;
    }
    at += length;
    if (bytes[start] !== 0) parts.push(bytes.subarray(start, at));
  }
  return Buffer.concat(parts);
}

function checkContract(bytes) {
  const module = new WebAssembly.Module(bytes);
  const foreign = WebAssembly.Module.imports(module).filter(({ name }) => !TOLERATED_IMPORTS.test(name));
  if (foreign.length) fail(`the module imports ${foreign.map(({ name }) => name).join(", ")}; it must not need JavaScript`);
  const contract = readFileSync(join(HERE, "js/wasm-exports.d.ts"), "utf8");
  const declared = [...contract.matchAll(/^ {2}(\w+)[(:]/gm)].map(([, name]) => name);
  const exported = new Set(WebAssembly.Module.exports(module).map(({ name }) => name));
  const missing = declared.filter((name) => !exported.has(name));
  if (missing.length) fail(`the module does not export ${missing.join(", ")}, which js/wasm-exports.d.ts declares`);
}

function inlined(bytes) {
  return `/** The WebAssembly module as text, so that loading needs neither a request nor a bundler plug-in. Written by build.mjs. */

const HEX =
  "${bytes.toString("hex")}";

/** The module's bytes. */
export function wasmBytes() {
  if (Uint8Array.fromHex) return Uint8Array.fromHex(HEX);
  const digit = (at) => {
    const code = HEX.charCodeAt(at);
    return code < 58 ? code - 48 : code - 87;
  };
  return Uint8Array.from({ length: HEX.length / 2 }, (_, index) => digit(2 * index) * 16 + digit(2 * index + 1));
}
`;
}

/** Sizes as a browser would fetch them: the module alone, every file, and all code together. */
function printSizes() {
  const code = readdirSync(dist).filter((name) => name.endsWith(".mjs"));
  const rows = code.map((name) => [name, readFileSync(join(dist, name))]);
  const all = Buffer.concat(rows.map(([, bytes]) => bytes));
  const line = (name, bytes) => {
    const sizes = [bytes.length, gzipSync(bytes, { level: 9 }).length, brotliCompressSync(bytes).length];
    console.log(name.padEnd(24) + sizes.map((size) => String(size).padStart(9)).join(""));
  };
  console.log(`${basename(dist).padEnd(24)}      raw     gzip   brotli`);
  line("(the wasm module alone)", wasm);
  for (const [name, bytes] of rows) line(name, bytes);
  line("all .mjs together", all);
}
