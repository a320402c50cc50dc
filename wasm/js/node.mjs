/**
 * The package's entry for Node.js, Deno and Bun: the same, and the active span holds through promises and timers, and what was recorded
 * is delivered when the process ends.
 */

import process from "node:process";

import { followPromises } from "./async-context.mjs";
import { deliverAtExit } from "./exit.mjs";
import { freeForgotten } from "./forgotten.mjs";
import { init as start } from "./index.mjs";

export * from "./index.mjs";

/** Semantic conventions, "process.runtime.name". */
const runtime = globalThis.Bun ? "bun" : globalThis.Deno ? "deno" : "nodejs";
const RESOURCE = {
  "telemetry.sdk.language": "nodejs",
  "process.pid": process.pid,
  "process.runtime.name": runtime,
  "process.runtime.version": process.versions[runtime === "nodejs" ? "node" : runtime],
};

/** See `init` of the other entries. */
export function init(options) {
  followPromises();
  freeForgotten();
  const { instrumentations = [], resource } = options ?? {};
  return start({
    ...options,
    resource: typeof resource === "object" ? { ...RESOURCE, ...resource } : resource ?? RESOURCE,
    instrumentations: Array.isArray(instrumentations) ? [deliverAtExit, ...instrumentations] : instrumentations,
  });
}
