/** The session of a browser, and what it says of itself. */

import { run, wasm } from "./module.mjs";
import { startSpan } from "./tracer.mjs";

const KEY = "clewline.session";
/** A session ends after so long without a sign of life, in milliseconds. */
const PAUSE = 30 * 60_000;
/** So long nobody else is asked whether it goes on, in milliseconds. */
const REST = 5000;

/** Answers a function that answers the session now, as `{ id, previous, isNew }`. */
function keeper(storage, pause) {
  let id, last, previous;
  const read = () => {
    try {
      return (storage ?? localStorage).getItem(KEY)?.split(" ") ?? [];
    } catch {
      // A browser that keeps nothing: each page is a session, until it pauses.
      return [];
    }
  };
  return () => {
    const now = Date.now();
    if (now >= last && now - last < Math.min(REST, pause)) return { id, previous };
    const [known = id, seen = last] = read();
    const goesOn = known && Math.abs(now - seen) < pause;
    if (!goesOn) {
      previous = known;
      id = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    } else id = known;
    last = now;
    try {
      (storage ?? localStorage).setItem(KEY, `${id} ${now}`);
    } catch {
      // As above.
    }
    return { id, previous, isNew: !goesOn };
  };
}

/**
 * `session.id` (OpenTelemetry semantic conventions, "Session"), for `init`'s `resource`: the same for all pages of this origin until half an
 * hour has passed without one, or until the browser forgets `localStorage`. A random text, which names nobody.
 */
export const session = ({ storage, pause = PAUSE } = {}) => ({ "session.id": keeper(storage, pause)().id });

let installed;

/**
 * The instrumentation, for `init`'s list, for pages that stay open: `session.id` on each span, anew after half an hour without any, and a span
 * `session.start` for each session that begins. A second one does nothing.
 */
export const traceSession = ({ storage, pause = PAUSE } = {}) => () => {
  if (installed) return;
  installed = true;
  const current = keeper(storage, pause);
  const attributes = () => {
    const { id, previous, isNew } = current();
    if (isNew) startSpan("session.start", { parent: null, attributes: { "session.previous_id": previous } }).end();
    return { "session.id": id };
  };
  // What costs nothing where there is no session: the module's own start, and a word more for what it records.
  const exports = wasm;
  const start = wasm.start;
  wasm.start = (...given) => {
    const handle = start(...given);
    if (handle & 1) wasm.set(handle, run(attributes()));
    return handle;
  };
  attributes();
  return () => {
    installed = false;
    if (exports === wasm) wasm.start = start;
  };
};

/** `browser.*` and `user_agent.original` (OpenTelemetry semantic conventions, "Browser"), for `init`'s `resource`. */
export function browser() {
  const { userAgent, userAgentData, language } = globalThis.navigator ?? {};
  return {
    "user_agent.original": userAgent,
    "browser.language": language,
    // Not `navigator.platform`, which says other things.
    "browser.platform": userAgentData?.platform || undefined,
    "browser.mobile": userAgentData?.mobile,
    "browser.brands": userAgentData?.brands?.map(({ brand, version }) => `${brand} ${version}`),
  };
}
