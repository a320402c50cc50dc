/** The place in the page as text: `#/…` with the filters, `#/trace/<id>` with the selected span. */

const FILTERS = ["service", "operation", "min_duration_ms", "errors", "q"];

/** Reads the address: which trace and span are selected, and the filters. */
export function readRoute() {
  const [path, search = ""] = location.hash.replace(/^#/, "").split("?");
  const params = new URLSearchParams(search);
  const filters = {};
  for (const name of FILTERS) if (params.get(name)) filters[name] = params.get(name);
  const match = /^\/trace\/([0-9a-fA-F]{32})\/?$/.exec(path);
  return { traceId: match ? match[1].toLowerCase() : null, spanId: params.get("span"), filters };
}

/** The address of a place; filters that are not set are left out. */
export function hashOf({ traceId = null, spanId = null, filters = {} }) {
  const params = new URLSearchParams();
  if (traceId && spanId) params.set("span", spanId);
  for (const name of FILTERS) if (filters[name]) params.set(name, filters[name]);
  const search = params.toString();
  return `#/${traceId ? `trace/${traceId}` : ""}${search ? `?${search}` : ""}`;
}

/** Changes the address without a step in the browser's history. */
export function replaceRoute(route) {
  history.replaceState(null, "", hashOf(route));
}

/** The filters as the parameters of `/api/traces`. */
export function searchOf(filters) {
  const params = new URLSearchParams();
  for (const name of FILTERS) if (filters[name]) params.set(name, filters[name]);
  return params;
}
