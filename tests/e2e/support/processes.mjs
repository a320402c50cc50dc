/** Starts the viewer and the shop on ports of the system's choice, and ends what it started. */

import { spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const DEBUG = path.join(process.env.CARGO_TARGET_DIR ?? path.join(ROOT, "target"), "debug");
const EXE = process.platform === "win32" ? ".exe" : "";

/** Where screenshots and captured requests are kept. */
export const ARTIFACTS = process.env.ARTIFACTS_DIR ?? path.join(ROOT, "target", "e2e");
mkdirSync(ARTIFACTS, { recursive: true });

const CLEWLINE = process.env.CLEWLINE_BIN ?? path.join(DEBUG, `clewline${EXE}`);
const SHOP = process.env.SHOP_BIN ?? path.join(DEBUG, "examples", `shop${EXE}`);
/** Decodes OTLP with OpenTelemetry's own messages; see otlp_json.rs. */
export const OTLP_JSON = process.env.OTLP_JSON_BIN ?? path.join(path.dirname(SHOP), `otlp_json${EXE}`);

const START_LIMIT = 60_000;
const END_LIMIT = 60_000;

/** Starts `clewline serve`; answers `{ url, end }`. */
export function startViewer() {
  return start("viewer", CLEWLINE, ["serve", "--listen", "127.0.0.1:0"]);
}

/** Starts the shop, which sends its and its page's spans to `collector`; answers `{ url, end }`. */
export function startShop(collector, environment = {}) {
  return start("shop", SHOP, ["--listen", "127.0.0.1:0", "--collector", collector], environment);
}

async function start(name, program, args, environment = {}) {
  if (!existsSync(program)) throw new Error(`${program} does not exist: run \`cargo xtask test --only e2e\``);
  const inherited = Object.entries(process.env).filter(([key]) => !/^(OTEL_|RUST_LOG$)/.test(key));
  const child = spawn(program, args, {
    env: { ...Object.fromEntries(inherited), ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  // Not "exit", behind which there may still be something to read of what it said.
  const ended = new Promise((resolve) => child.once("close", (code, signal) => resolve(signal ?? code)));
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`the ${name} did not say its address in time; it said: ${output}`));
    }, START_LIMIT);
    const read = (text) => {
      output += text;
      const address = /http:\/\/[\d.]+:\d+(?=\D)/.exec(output);
      if (!address) return;
      clearTimeout(timer);
      resolve(address[0]);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", (text) => (output += text));
    child.once("error", reject);
    void ended.then((code) => {
      clearTimeout(timer);
      reject(new Error(`the ${name} ended at once (${code}): ${output}`));
    });
  });

  /** Asks the server to end and answers its exit code, or the signal that was needed. */
  async function end() {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), END_LIMIT);
    const code = await ended;
    clearTimeout(timer);
    return code;
  }
  return { url, end, output: () => output };
}
