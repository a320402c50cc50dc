/** The READMEs' code for web developers: each block stands, as it is, in a file that a test builds and runs, and the sizes are the measured ones. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { withSizes } from "../../../wasm/sizes-in-readme.mjs";
import { directoryOf, filesIn } from "../support/consumer.mjs";
import { snippets } from "../support/readme.mjs";

const APPLICATIONS = ["esbuild/src", "html", "node/src", "vite/src", "webpack/src", "worker/src"];
const README = readFileSync(new URL("../../../wasm/README.md", import.meta.url), "utf8");

/** What differs where code is indented as a part of something else. */
const plain = (code) => code.split("\n").map((line) => line.trim()).join("\n").trim();

const code = Object.fromEntries(
  APPLICATIONS.flatMap((name) => Object.entries(filesIn(directoryOf(name))).map(([file, text]) => [`${name}/${file}`, plain(text)])),
);
// Rust's is run by wasm-bindgen's test runner.
code["wasm/tests/readme.rs"] = plain(readFileSync(new URL("../../../wasm/tests/readme.rs", import.meta.url), "utf8").replaceAll("pub(super) fn", "fn"));

test("every block of wasm/README.md is in an application that is tested", () => {
  const blocks = snippets("wasm/README.md");
  const languages = new Set(blocks.map(({ language }) => language));
  assert.ok(blocks.length >= 12, `${blocks.length} blocks`);
  for (const language of languages) assert.ok(["js", "ts", "tsx", "html", "http", "rust"].includes(language), `a block of ${language || "no language"}`);
  // Those are policies; webpack.test.mjs reads them from the page.
  for (const { language, text, line } of blocks.filter(({ language }) => language !== "http")) {
    const [, file, rest] = /^\/\/ (\S+)\n([^]*)$/.exec(text) ?? [];
    const [name] = Object.entries(code).find(([name, all]) => (file ? name.endsWith(`/${file}`) && all.endsWith(`*/\n\n${plain(rest)}`) : all.includes(plain(text)))) ?? [];
    assert.ok(name, `line ${line}, ${language}${file ? `, ${file}` : ""}: no application has this code:\n${text}`);
  }
});

test("the browser's code of the root's README.md is in an application that is tested", () => {
  const blocks = snippets("README.md", "js");
  assert.ok(blocks.length > 0);
  for (const { text, line } of blocks) assert.ok(Object.values(code).some((all) => all.includes(plain(text))), `line ${line}:\n${text}`);
});

test("the sizes are those of the budget, for every entry", () => {
  const rows = budget();
  const [expected, missing] = withSizes(README, rows);
  assert.deepEqual(missing, [], "entries without a row in README.md");
  const numbers = (line) => [...line.matchAll(/\d+\.\d/g)].map(Number);
  // A tenth of a kilobyte more or less is no other size.
  const differs = (said, is) => said.length !== is.length || said.some((size, index) => Math.abs(size - is[index]) > 0.11 + 0.02 * is[index]);
  const wrong = README.split("\n").filter((line, index) => line.startsWith("|") && differs(numbers(line), numbers(expected.split("\n")[index])));
  assert.deepEqual(wrong, [], "`cargo xtask size --bless` puts these lines right");
});

test("the size in the root's README.md is that of its lines", () => {
  const { application, "+ web": web } = budget();
  const [, said] = /(\d+) KB, WebAssembly\s+included/.exec(readFileSync(new URL("../../../README.md", import.meta.url), "utf8")) ?? [];
  const is = (application[2] + web[2]) / 1000;
  assert.ok(Math.abs(said - is) <= 1, `README.md says ${said} KB, it is ${is}`);
});

/** Bytes by name, raw and after gzip and brotli. */
function budget() {
  const lines = readFileSync(new URL("../../../wasm/budget.txt", import.meta.url), "utf8").matchAll(/^([^#:]+): ([\d ]+)$/gm);
  return Object.fromEntries([...lines].map(([, name, sizes]) => [name, sizes.split(" ").map(Number)]));
}
