/** Which span is active: implicitly, for as long as the host can tell. */

/** Where the host cannot follow a promise, a variable holds as far as synchronous code reaches. */
let active;
let store;

/** The active span, if there is one. */
export const activeSpan = () => (store ? store.getStore() : active);

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

/** Makes a span active, below all that is active in it, until the answer is called: for what cannot be one function. */
export function enter(span) {
  const outer = active;
  active = span;
  return () => {
    if (active === span) active = outer;
  };
}

/** From here on the host keeps the active span, through promises too: an AsyncLocalStorage or what behaves like one. Answers what was before. */
export function keepContextIn(given) {
  const before = store;
  store = given;
  return before;
}
