/** Reads the code in a README, so that tests can run what users copy. */

import { readFileSync } from "node:fs";

/** The fenced blocks of a language (all without one) in a page of the repository: `{ language, text, line }`. */
export function snippets(page, language) {
  const lines = readFileSync(new URL(`../../../${page}`, import.meta.url), "utf8").split("\n");
  const found = [];
  let open;
  for (const [index, line] of lines.entries()) {
    const fence = /^```(\w*)/.exec(line);
    if (fence && open) {
      found.push({ ...open, text: lines.slice(open.line, index).join("\n") });
      open = undefined;
    } else if (fence) open = { language: fence[1], line: index + 1 };
  }
  return found.filter((snippet) => !language || snippet.language === language);
}
