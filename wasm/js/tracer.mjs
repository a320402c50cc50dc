/** What a program does with a tracer: starts spans, and asks what became of them. */

import { checkClock, timeOf } from "./clock.mjs";
import { activeSpan, withActive } from "./context.mjs";
import { begin, counts, run, wasm, word, write } from "./module.mjs";
import { Span, handleOf, parentText } from "./span.mjs";
import { idle, ledger } from "./transport.mjs";

/** For this package's other entries: who is told of each span that starts, with its handle. */
let watch;
export function watchBy(given) {
  const before = watch;
  watch = before
    ? (span, handle) => {
        before(span, handle);
        given(span, handle);
      }
    : given;
}

export function startSpan(name, options = {}) {
  const { parent = activeSpan(), startTime, kind = 0, attributes, links } = options;
  const local = parent && handleOf(parent);
  begin();
  const handle = wasm.start(word(name), kind + 1, local, parent && !local ? write(parentText(parent)) : 0);

  // A span that does not record reads no clock. After a pause the clock is compared first: the computer may have slept.
  let start = 0;
  if (handle & 1) {
    if (idle()) checkClock();
    start = timeOf(startTime);
    if (attributes) wasm.set(handle, run(attributes));
  }
  const span = new Span(handle, start);
  watch?.(span, handle);
  if (links) for (const link of links) span.addLink(link);
  return span;
}

export function startActiveSpan(name, options, fn = options) {
  // In place of options, a function has none of their members.
  return withActive(startSpan(name, options), fn);
}

/** What became of all spans. */
export const stats = () => ({ ...counts(), ...ledger });
