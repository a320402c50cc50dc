/** Reads traces from the viewer's API and waits, within bounds, for what is on its way. */

/** Longer than anything here takes on a machine that is busy with other things; a wait that succeeds costs nothing. */
const LIMIT = 60_000;
const PAUSE = 30;

/** Asks until `attempt` answers something other than `undefined`; fails after a minute with what is missing. */
export async function until(what, attempt) {
  const deadline = Date.now() + LIMIT;
  for (;;) {
    const answer = await attempt();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`waited ${LIMIT / 1000} seconds for ${typeof what === "function" ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}

/** The JSON of an API path; `undefined` for 404. */
export async function api(viewer, path) {
  const response = await fetch(viewer.url + path);
  if (response.status === 404) return undefined;
  const answer = await response.json();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${answer.error}`);
  return answer;
}

/** The spans of a trace, as soon as there is one of each of `names` (given as often as it is expected). */
export async function spansOf(viewer, traceId, names) {
  let spans = [];
  const missing = () => {
    const here = spans.map((span) => `${span.service}: ${span.name}`);
    return names.filter((name) => !here.includes(name) || here.splice(here.indexOf(name), 1).length === 0);
  };
  return until(
    () => `${missing().join(", ")} in trace ${traceId}`,
    async () => {
      spans = (await api(viewer, `/api/traces/${traceId}`))?.spans ?? [];
      return missing().length === 0 ? spans : undefined;
    },
  );
}

/** The only trace that matches the filters and is not among `known`. */
export async function newTrace(viewer, filters, known = new Set()) {
  const search = new URLSearchParams({ limit: "1000", ...filters });
  return until(`a trace with ${search}`, async () => {
    const { traces } = await api(viewer, `/api/traces?${search}`);
    const fresh = traces.filter((trace) => !known.has(trace.trace_id));
    if (fresh.length > 1) throw new Error(`${fresh.length} traces with ${search}, wanted one`);
    return fresh[0];
  });
}

/** The span of this name and, where names repeat, kind. */
export function spanNamed(spans, name, kind) {
  const found = spans.filter((span) => span.name === name && (kind === undefined || span.kind === kind));
  if (found.length !== 1) throw new Error(`${found.length} spans named ${name}${kind ? ` of kind ${kind}` : ""}, wanted one`);
  return found[0];
}
