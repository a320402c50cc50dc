/** The table of sizes in README.md: what it should say, given the bytes of each entry as in budget.txt. */

const ROW = /^(\| \**)((?:`clewline[\w/-]*`(?:, | and )?)+)(\** \| \**)[+\d., ]+(\** \|)/gm;

const kilobytes = (bytes) => (bytes / 1000).toFixed(1);

/**
 * The page with the sizes, after brotli, of `rows`: `[raw, gzip, brotli]` by name. Answers `[page, missing]`; those are the names for which
 * the page has no row.
 */
export function withSizes(page, rows) {
  const missing = new Set(Object.keys(rows).filter((name) => name.startsWith("+ ")));
  const text = page.replace(ROW, (_, before, names, between, behind) => {
    const entries = [...names.matchAll(/`clewline\/?([\w-]*)`/g)].map(([, entry]) => entry);
    // The first row is the smallest application: two entries, one number.
    if (!entries[0]) return before + names + between + kilobytes(rows.application[2]) + behind;
    const sizes = entries.map((entry) => {
      missing.delete(`+ ${entry}`);
      return `+ ${kilobytes(rows[`+ ${entry}`]?.[2] ?? NaN)}`;
    });
    return before + names + between + sizes.join(", ") + behind;
  });
  return [text, [...missing]];
}
