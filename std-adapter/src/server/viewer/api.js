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

/** Whether a trace is in the store. */
export async function hasTrace(traceId) {
  try {
    return (await fetch(`/api/traces/${traceId}`, { method: "HEAD" })).ok;
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
  document.addEventListener("visibilitychange", () => { if (!document.hidden && timer === null) deliver(); });

  const source = new EventSource("/api/stream");
  source.addEventListener("open", () => state("live"));
  source.addEventListener("error", () => state("offline"));
  // The first event of every connection: whatever happened before it went unseen.
  source.addEventListener("hello", () => note(null));
  source.addEventListener("skipped", () => note(null));
  source.addEventListener("trace", (event) => note(JSON.parse(event.data).trace_id));
}
