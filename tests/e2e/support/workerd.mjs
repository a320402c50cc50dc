/** Runs Workers in workerd, the runtime that Cloudflare uses: the package as files, and the spans to a collector on this machine. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";

import { DIST } from "./site.mjs";

const START_LIMIT = 60_000;

/** The modules of a worker, in the configuration's words: its own, and the package's below `clewline/`. */
function modules(name) {
  const kind = (file) => (file.endsWith(".wasm") ? "wasm" : "esModule");
  const files = readdirSync(DIST).filter((file) => /^[\w-]+\.(mjs|wasm)$/.test(file) && file !== "edge-light.mjs");
  return [[name, name], ...files.map((file) => [`clewline/${file}`, file])]
    .map(([path, file]) => `(name = "${path}", ${kind(file)} = embed "${file}")`)
    .join(", ");
}

/**
 * Starts `worker`, a module's text, with `bindings` (texts by name) and Durable Objects (`[binding, class]`), behind an address; answers
 * `{ url, call, output, end }`. `date` is the compatibility date: how old the runtime behaves. `call(handler, ...args)` has the runtime hand it an event that is no request, as "scheduled" or "queue".
 */
export async function startWorker(worker, bindings = {}, objects, date = "2026-10-01") {
  const directory = mkdtempSync(path.join(tmpdir(), "clewline-workerd-"));
  for (const file of readdirSync(DIST)) copyFileSync(path.join(DIST, file), path.join(directory, file));
  writeFileSync(path.join(directory, "worker.mjs"), worker);
  writeFileSync(path.join(directory, "driver.mjs"), 'export default { async fetch(request, { worker }) { const [name, ...args] = await request.json(); return Response.json(await worker[name](...args)); } };');
  const bound = Object.entries(bindings).map(([name, text]) => `(name = "${name}", text = ${JSON.stringify(text)})`);
  if (objects) bound.push(`(name = "${objects[0]}", durableObjectNamespace = "${objects[1]}")`);
  const storage = objects ? `, durableObjectNamespaces = [(className = "${objects[1]}", uniqueKey = "test")], durableObjectStorage = (inMemory = void)` : "";
  writeFileSync(
    path.join(directory, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "driver", worker = (compatibilityDate = "2026-10-01", compatibilityFlags = ["service_binding_extra_handlers"],
      modules = [(name = "driver.mjs", esModule = embed "driver.mjs")], bindings = [(name = "worker", service = "worker")])),
    (name = "internet", network = (allow = ["private", "public"])),
  ],
  sockets = [(name = "worker", address = "127.0.0.1:0", http = (), service = "worker"), (name = "driver", address = "127.0.0.1:0", http = (), service = "driver")]
);
const worker :Workerd.Worker = (compatibilityDate = "${date}", compatibilityFlags = ["nodejs_als", "service_binding_extra_handlers"],
  modules = [${modules("worker.mjs")}], bindings = [${bound.join(", ")}]${storage});
`,
  );
  const program = createRequire(import.meta.url)("workerd").default;
  const child = spawn(program, ["serve", "--experimental", "--control-fd=3", path.join(directory, "config.capnp")], { stdio: ["ignore", "pipe", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (output += text));
  const ports = {};
  const ended = once(child, "exit");
  try {
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`workerd did not listen in time; it said: ${output}`)), START_LIMIT);
      let events = "";
      child.stdio[3].setEncoding("utf8").on("data", (text) => {
        events += text;
        for (const [, socket, port] of events.matchAll(/"socket":"(\w+)","port":(\d+)(?=\D)/g)) ports[socket] = port;
        if (ports.worker && ports.driver) resolve(clearTimeout(timer));
      });
      void ended.then(([code]) => reject(new Error(`workerd ended at once (${code}): ${output}`)), reject).finally(() => clearTimeout(timer));
    });
  } catch (error) {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `http://127.0.0.1:${ports.worker}`,
    async call(...event) {
      const response = await fetch(`http://127.0.0.1:${ports.driver}`, { method: "POST", body: JSON.stringify(event) });
      if (!response.ok) throw new Error(`${event[0]}: ${response.status} ${await response.text()} ${output}`);
      return response.json();
    },
    output: () => output,
    async end() {
      child.kill("SIGTERM");
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
