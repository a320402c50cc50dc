/** Resource attributes of a browser: its session, and what it says of itself. For `init`'s `resource`. */

const KEY = "clewline.session";
/** A session ends after so long without a page, in milliseconds. */
const PAUSE = 30 * 60_000;

/**
 * `session.id` (OpenTelemetry semantic conventions, "Session"): the same for all pages of this origin until half an hour has passed
 * without one, or until the browser forgets `localStorage`. A random text, which names nobody.
 */
export function session({ storage = globalThis.localStorage, pause = PAUSE } = {}) {
  let id;
  const now = Date.now();
  try {
    const [known, last] = storage.getItem(KEY)?.split(" ") ?? [];
    if (now - last < pause) id = known;
  } catch {
    // A browser that keeps nothing: each page is a session.
  }
  id ??= Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  try {
    storage.setItem(KEY, `${id} ${now}`);
  } catch {
    // As above.
  }
  return { "session.id": id };
}

/** `browser.*` and `user_agent.original` (OpenTelemetry semantic conventions, "Browser"). */
export function browser() {
  const { userAgent, userAgentData, language } = globalThis.navigator ?? {};
  return {
    "user_agent.original": userAgent,
    "browser.language": language,
    "browser.platform": userAgentData?.platform,
    "browser.mobile": userAgentData?.mobile,
    "browser.brands": userAgentData?.brands?.map(({ brand, version }) => `${brand} ${version}`),
  };
}
