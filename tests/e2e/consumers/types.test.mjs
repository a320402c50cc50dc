/** The package as compilers and other tools see it: strict TypeScript in each way of resolving, and exports that lead somewhere. */

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";

import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { directoryOf, evaluation, install, runScript } from "../support/consumer.mjs";

let directory, manifest;

before(async () => {
  directory = await install("types");
  manifest = JSON.parse(readFileSync(path.join(directory, "package.json"), "utf8"));
});

const text = (name) => readFileSync(path.join(directory, name), "utf8");

/** The values that a module or its declarations export, by the words for it. */
function values(name) {
  const source = text(name);
  const own = [...source.matchAll(/^export (?:declare )?(?:async )?(?:const|let|function|class) (\w+)/gm)].map(([, value]) => value);
  const others = [...source.matchAll(/^export \* from "\.\/([^"]+)"/gm)].flatMap(([, other]) => values(name.endsWith(".d.mts") ? other.replace(".mjs", ".d.mts") : other));
  const named = [...source.matchAll(/^export \{([^}]+)\}/gm)].flatMap(([, list]) => list.split(",").map((item) => item.trim().split(" as ").at(-1)));
  return [...new Set([...own, ...others, ...named])].filter(Boolean).sort();
}

test("strict TypeScript accepts every declaration: bundler, nodenext, without a DOM, in a Worker, and the code of README.md", async () => {
  await runScript("types", "check");
});

test("a test's file takes something from every entry", () => {
  const known = [...readFileSync(path.join(directoryOf("types"), "every-entry.ts"), "utf8").matchAll(/^ {2}"(\..*)": /gm)].map(([, entry]) => entry);
  const entries = Object.keys(manifest.exports).filter((entry) => !/\.(json|wasm)$/.test(entry));
  assert.deepEqual(known.sort(), entries.sort());
});

test("what is declared is there, and what is there is declared, for each entry and each host", async () => {
  for (const [entry, target] of Object.entries(manifest.exports)) {
    if (typeof target === "string") continue;
    const { types, ...hosts } = target;
    assert.equal(Object.keys(target)[0], "types", `${entry}: TypeScript takes the first condition that it knows`);
    const declared = values(types);
    assert.ok(declared.length > 0, entry);
    for (const [host, file] of Object.entries(hosts)) {
      // Node.js has no way to import the module's own file.
      const found = /"\.\/(core\.wasm|workerd\.mjs)/.test(text(file)) ? values(file) : Object.keys(await import(pathToFileURL(path.join(directory, file)))).sort();
      assert.deepEqual(found, declared, `${entry} for ${host}`);
    }
  }
});

test("no file of the package misses another", () => {
  for (const name of readdirSync(directory).filter((name) => name.endsWith(".mjs") || name.endsWith(".mts"))) {
    for (const [, other] of text(name).matchAll(/(?:from|import|import\() ?"\.\/([^"?]+)/g)) {
      assert.ok(existsSync(path.join(directory, other)), `${name} imports ${other}`);
    }
  }
});

test("no file of the package makes code of texts", () => {
  for (const name of readdirSync(directory).filter((name) => name.endsWith(".mjs"))) assert.equal(evaluation(text(name)), undefined, name);
});

test("the linter of packages has nothing to say", async () => {
  const { messages } = await publint({ pkgDir: directory, pack: false, strict: true });
  assert.deepEqual(messages.map((message) => formatMessage(message, manifest)), []);
});

test("CommonJS can take it too", () => {
  const program = 'const { init } = require("clewline"); const tracer = init({ serviceName: "a" }); tracer.startSpan("b").end(); console.log(tracer.stats().started)';
  const options = { cwd: directoryOf("types"), encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
  assert.equal(execFileSync(process.execPath, ["--eval", program], options).trim(), "1");
});
