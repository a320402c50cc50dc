/** Which span is active: implicitly, for as long as the host can tell. */

/** Where the host cannot follow a promise, a variable holds as far as synchronous code reaches. */
let active;
/** What can follow one: an `AsyncContext.Variable`, in browsers that have such a thing, or what behaves like it. */
let store = globalThis.AsyncContext && new AsyncContext.Variable();

/** The active span, if there is one. */
export const activeSpan = () => store?.get() ?? active;

/** The one that the variable holds, whatever the host keeps. */
export const activeHere = () => active;

/** Calls `fn` with a span active, or with none. */
export function withActive(span, fn) {
  if (store) return store.run(span, fn, span);
  const outer = active;
  active = span;
  try {
    return fn(span);
  } finally {
    active = outer;
  }
}

/** Spans that were made active by `enter`, and what each lies on. */
const entered = new Set();

/** Makes a span active, below all that is active in it, until the answer is called: for what cannot be one function. Any order will do. */
export function enter(span) {
  const layer = { span, below: active };
  entered.add(layer);
  active = span;
  return () => {
    if (!entered.delete(layer)) return;
    if (active === span) active = layer.below;
    for (const upper of entered) if (upper.below === span) upper.below = layer.below;
  };
}

/** From here on this keeps the active span, through promises too. Answers what did before. */
export function keepContextIn(given) {
  const before = store;
  store = given;
  return before;
}
