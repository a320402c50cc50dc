/** Programs that have the npm package in their `node_modules`, as if it were installed, and what they say while they run. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { DIST } from "./site.mjs";

const MODULES = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../node_modules");
const require = createRequire(import.meta.url);
/** Longer than any program here takes on a machine that is busy with other things. */
const LIMIT = 60_000;

/** A program of a package that has a binary of its own for each platform. */
function binary(scope, prefix, file) {
  const found = readdirSync(path.join(MODULES, scope)).map((name) => path.join(MODULES, scope, name, file));
  const program = found.find((name) => path.basename(path.dirname(name.replace(/\/bin\//, "/"))).startsWith(prefix) && existsSync(name));
  if (!program) throw new Error(`${scope} has no ${file} for this machine: run \`cargo xtask test --only e2e\``);
  return program;
}

/** The hosts beside browsers: how each runs a file. */
export const HOSTS = {
  node: [process.execPath],
  deno: [binary("@deno", "", process.platform === "win32" ? "deno.exe" : "deno"), "run", "--quiet", "--allow-all", "--node-modules-dir=manual"],
  bun: [binary("@oven", "bun-", process.platform === "win32" ? "bin/bun.exe" : "bin/bun"), "run"],
};

/** The Workers runtime that Cloudflare uses. */
export const workerd = () => require("workerd").default;

/** A directory with these files (texts by name) in which `import "clewline"` finds the package, and others what is installed here. */
export function makeProgram(files) {
  mkdirSync(MODULES, { recursive: true });
  const directory = mkdtempSync(path.join(MODULES, ".program-"));
  cpSync(DIST, path.join(directory, "node_modules/clewline"), { recursive: true });
  writeFileSync(path.join(directory, "package.json"), '{ "type": "module" }');
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(directory, name), text);
  return { directory, end: () => rmSync(directory, { recursive: true, force: true }) };
}

/** Runs a command to its end; answers its exit code and what it said. */
export async function run([command, ...args], options) {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT);
  const said = { out: "", error: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (said.out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (said.error += text));
  const [code] = await once(child, "close");
  clearTimeout(timer);
  return { code, ...said };
}
