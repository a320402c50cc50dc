/** Talking to the server: JSON reads, and the stream of changes. */

/** Reads JSON; throws an error whose message can be shown and whose `status` is the HTTP status (0: no answer). */
export async function getJson(path, signal) {
  let response;
  try {
    response = await fetch(path, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw Object.assign(new Error("The server does not answer. Is clewline serve still running?"), { status: 0 });
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw Object.assign(new Error(body.error || `The server answered ${response.status}.`), { status: response.status });
  }
  return body;
}

/**
 * Runs `task(signal)` one at a time. `soon()` asks for a run and, while one is under way, for one more after it: news that
 * come faster than answers must not keep every answer from arriving. `now()` gives up the run under way.
 */
export function oneAtATime(task) {
  let running = null;
  let again = false;
  const start = async () => {
    const mine = running = new AbortController();
    again = false;
    try {
      await task(mine.signal);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    } finally {
      if (running === mine) {
        running = null;
        if (again) start();
      }
    }
  };
  const stop = () => {
    running?.abort();
    running = null;
    again = false;
  };
  return { soon: () => { if (running) again = true; else start(); }, now: () => { stop(); start(); }, stop };
}

/** Whether a trace is in the store. Asked through the list, because a browser logs every 404 as an error of the page. */
export async function hasTrace(traceId) {
  try {
    return (await getJson(`/api/traces?trace_id=${traceId}&limit=0`)).matched > 0;
  } catch {
    return false;
  }
}

/**
 * Follows the changes. Calls `changed` with the set of changed trace ids (empty: anything may have changed) at most
 * every `interval` milliseconds, and only while the page can be seen; `state` hears "live" and "offline".
 */
export function followChanges({ interval, changed, state }) {
  let pending = null;
  let timer = null;
  const deliver = () => {
    timer = null;
    if (pending === null || document.hidden) return;
    const ids = pending.all ? new Set() : pending.ids;
    pending = null;
    timer = setTimeout(deliver, interval);
    changed(ids);
  };
  const note = (id) => {
    pending ??= { ids: new Set(), all: false };
    if (id === null) pending.all = true;
    else pending.ids.add(id);
    if (timer === null) timer = setTimeout(deliver, 30);
  };
  let source = null;
  const connect = () => {
    source = new EventSource("/api/stream");
    source.addEventListener("open", () => state("live"));
    source.addEventListener("error", () => state("offline"));
    // The first event of every connection: whatever happened before it went unseen.
    source.addEventListener("hello", () => note(null));
    source.addEventListener("skipped", () => note(null));
    source.addEventListener("trace", (event) => note(JSON.parse(event.data).trace_id));
  };
  // A browser opens at most six connections to a server over HTTP/1.1. Six forgotten tabs that each held one would keep
  // every page, also the traced ones, from reaching it.
  const follow = () => {
    source?.close();
    source = null;
    if (!document.hidden) connect();
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
