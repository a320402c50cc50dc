/** Installs the npm package into an application as its users do, builds the application, and serves what was built. */

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { DIST, startSite } from "./site.mjs";
import { until } from "./viewer.mjs";

const CONSUMERS = fileURLToPath(new URL("../consumers", import.meta.url));
/** What the applications and README.md call the collector; a server puts the test's own address in its place. */
export const COLLECTOR = "http://localhost:4318";

const run = promisify(execFile);
const npm = (directory, ...args) =>
  run("npm", [...args, "--no-audit", "--no-fund", "--ignore-scripts", "--offline"], { cwd: directory, shell: process.platform === "win32" });

/** Where an application is. */
export const directoryOf = (name) => path.join(CONSUMERS, name);

/** Packs the package, and installs the tarball into the application `name`; answers where it is then. */
export async function install(name) {
  const directory = directoryOf(name);
  const temporary = mkdtempSync(path.join(tmpdir(), "clewline-pack-"));
  try {
    const { stdout } = await npm(DIST, "pack", "--json", "--pack-destination", temporary);
    const [{ filename }] = JSON.parse(stdout);
    // Of the same version, npm would keep the one of the last run.
    rmSync(path.join(directory, "node_modules"), { recursive: true, force: true });
    await npm(directory, "install", "--no-save", "--no-package-lock", path.join(temporary, filename));
  } finally {
    rmSync(temporary, { recursive: true });
  }
  return path.join(directory, "node_modules/clewline");
}

/** `npm run build` in the application `name`; answers the built files' texts by name. */
export async function build(name) {
  const directory = directoryOf(name);
  rmSync(path.join(directory, "dist"), { recursive: true, force: true });
  await runScript(name, "build");
  return filesIn(path.join(directory, "dist"));
}

/** Runs a script of the application `name`; what it printed is in the error if it fails. */
export async function runScript(name, script) {
  await npm(directoryOf(name), "run", script).catch((error) => {
    throw new Error(`"npm run ${script}" in ${name} failed:\n${error.stdout}${error.stderr}`);
  });
}

/** The texts of all files below a directory, by their path from there. */
export function filesIn(directory) {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const files = entries.map((entry) => path.join(entry.parentPath ?? entry.path, entry.name));
  return Object.fromEntries(files.map((file) => [path.relative(directory, file).replaceAll(path.sep, "/"), readFileSync(file, "utf8")]));
}

/**
 * Starts a site of files (texts by path) and further `pages`, see `startSite`. Addresses of the collector in the files become `collector`;
 * `policy` is the Content-Security-Policy of all. `requests` are those for pages and files.
 */
export function serve(files, collector, { policy, pages = {} } = {}) {
  const local = (text) => text.replaceAll(COLLECTOR, collector.url);
  const headers = policy ? { "content-security-policy": local(policy) } : {};
  const served = Object.entries(files).map(([name, text]) => [`/${name}`, { body: local(text), headers }]);
  return startSite({ ...Object.fromEntries(served), "/": { body: local(files["index.html"]), type: "text/html", headers }, ...pages });
}

/** What would make code of texts at run time, and so need `'unsafe-eval'`; `undefined` if there is none. */
export const evaluation = (code) => /\beval\s*\(|\bnew\s+Function\b|[^.\w]Function\s*\(\s*["'`]|set(?:Timeout|Interval)\(\s*["'`]/.exec(code)?.[0];

/** Waits until the collector has `count` spans of a name; answers all of that name, oldest first. */
export function arrival(collector, name, count = 1) {
  const what = () => `${count} spans named ${name}, of ${collector.spans().map((span) => span.name)}`;
  return until(what, () => {
    const found = collector.spans().filter((span) => span.name === name);
    return found.length >= count ? found : undefined;
  });
}
