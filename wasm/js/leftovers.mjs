/**
 * What no budget took when a page was hidden or left waits in localStorage: for the next page of this origin, or for this one when it is shown again.
 */

import { MOST_LEFTOVERS, TIMEOUT } from "./limits.mjs";
import { count, endpoint, enqueue, leave, next, release, takeBack } from "./transport.mjs";

/** Another application of this origin has another collector. */
const prefix = () => `clewline ${endpoint()} `;

/** The page is hidden (`visibilitychange`) or left (`pagehide`), and may be gone in a moment: what can leave leaves, the rest is kept. */
export function leavePage(type) {
  leave(type);
  let kept = 0;
  for (let request; (request = next()); kept++) {
    try {
      localStorage[`${prefix() + Math.random()} ${request.spans}`] = kept < MOST_LEFTOVERS ? String.fromCharCode(...request.bytes) : "";
    } catch {
      // There is no room, or no localStorage.
      return takeBack(request);
    }
    release(request);
    count("kept", request.spans);
  }
}

/**
 * Sends what pages kept, and counts what they could not; one page at a time, where the browser has locks. `listening` aborts the wait for them.
 */
export async function takeLeftovers(listening) {
  try {
    // Servers may have a localStorage, too, which is none of a tracer's business: they have no window, so this throws there.
    const { locks } = window.navigator;
    await (locks ? locks.request(prefix(), listening, take) : take());
  } catch {
    // On a server, or forbidden, as in a sandboxed frame.
  }
}

function take() {
  let found;
  for (const key in localStorage) {
    if (key.startsWith(prefix())) {
      const bytes = Uint8Array.from(localStorage[key], (character) => character.charCodeAt());
      const spans = +key.split(" ")[3];
      delete localStorage[key];
      found = count("restored", spans);
      if (bytes.length) enqueue({ bytes, spans, attempts: 0 });
      else count("undelivered", spans);
    }
  }
  // A tab of another process does not see at once that something is gone: until then it has no turn.
  return found && new Promise((resolve) => setTimeout(resolve, TIMEOUT));
}
