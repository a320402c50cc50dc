/** The types: every entry has its own, they hold together without looking away, and they know a wrong option. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import test from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { DIST } from "./support.mjs";

const TSC = fileURLToPath(new URL("bin/tsc", new URL("../", import.meta.resolve("typescript"))));
const manifest = JSON.parse(await readFile(new URL("package.json", DIST), "utf8"));
const entries = Object.entries(manifest.exports).filter(([, conditions]) => typeof conditions === "object");

/** What a program in TypeScript would say to these lines: nothing, or its complaints. */
async function check(t, lines, options) {
  const directory = await mkdtemp(path.join(tmpdir(), "clewline-types-"));
  t.after(() => rm(directory, { recursive: true }));
  await mkdir(path.join(directory, "node_modules"));
  await symlink(fileURLToPath(DIST), path.join(directory, "node_modules/clewline"), "dir");
  await writeFile(path.join(directory, "program.mts"), lines.join("\n"));
  const compilerOptions = { strict: true, noEmit: true, target: "es2022", lib: ["es2023", "dom", "esnext.disposable"], types: [], ...options };
  await writeFile(path.join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["program.mts"] }));
  try {
    await promisify(execFile)(process.execPath, [TSC, "--project", directory]);
    return "";
  } catch ({ stdout }) {
    return stdout;
  }
}

test("every file that an entry names is in the package", () => {
  for (const [entry, conditions] of entries) {
    assert.ok(conditions.types, `${entry} has types`);
    for (const file of Object.values(conditions)) assert.ok(existsSync(new URL(file, DIST)), `${file} of ${entry}`);
  }
});

for (const [moduleResolution, module] of [["nodenext", "nodenext"], ["node16", "node16"], ["bundler", "esnext"], ["node10", "esnext"]]) {
  const options = { module, moduleResolution };

  test(`every entry's types are found and right, with modules resolved as ${moduleResolution} does`, async (t) => {
    const imports = entries.map(([entry], index) => `import * as entry${index} from "${path.posix.join("clewline", entry)}";`);
    // Of an entry without types this would be `any`, of which nothing is missing.
    const uses = entries.map((_, index) => `// @ts-expect-error\nentry${index}.missing;`);
    assert.equal(await check(t, [...imports, ...uses], options), "");
  });
}

test("a program as the README has it, and mistakes in it", async (t) => {
  const lines = [
    'import { init, SpanStatusCode, type Span } from "clewline";',
    'import { traceFetch } from "clewline/fetch";',
    'const tracer = init({ serviceName: "shop", instrumentations: [traceFetch({ propagateTo: [/x/, "https://a.example"] })] });',
    'const kept: number = tracer.startActiveSpan("checkout", (span: Span) => { using inner = tracer.startSpan("inner"); return 1; });',
    'tracer.startSpan("x").setStatus({ code: SpanStatusCode.ERROR, message: "no" }).setAttribute("a", [1, 2]).end();',
    "// @ts-expect-error\ninit({ serviceNam: 1 });",
    '// @ts-expect-error\ntracer.startSpan("x").setAttribute("a", {});',
    "// @ts-expect-error\ntracer.stats().nothing;",
  ];
  assert.equal(await check(t, lines, { module: "nodenext" }), "");
});
