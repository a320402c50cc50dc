/** The list of traces with its filters. */

import { getJson, oneAtATime } from "/api.js";
import { serviceColour } from "/colour.js";
import { copyButton, el, fill, serviceChip } from "/dom.js";
import { clock, count, day, duration, plural } from "/format.js";
import { hashOf, readRoute, replaceRoute, searchOf } from "/route.js";

/** As many rows as a reader scrolls through; the filters find the rest. */
const LIMIT = 200;
/** How often the choices of the filters are looked up, in milliseconds: they change less than the traces. */
const SERVICES_EVERY = 3000;

/** Draws the list into `view`. Returns `{ refresh(), close() }`. */
export function openList(view) {
  let filters = readRoute().filters;
  let known = false;
  let services = [];
  let servicesAt = 0;
  let later = null;
  const rows = new Map();

  const query = el("input", {
    class: "field grow", type: "search", value: filters.q ?? "", spellcheck: false, autocomplete: "off",
    placeholder: "Search attributes and names:  tenant_id=42  \"POST /cart\"",
    data: { testid: "filter-query" },
    attrs: { "aria-label": "Search attributes and span names", "aria-keyshortcuts": "/" },
  });
  const service = el("select", { class: "field", data: { testid: "filter-service" }, attrs: { "aria-label": "Service" } });
  const operation = el("select", { class: "field", data: { testid: "filter-operation" }, attrs: { "aria-label": "Operation" } });
  const minimum = el("input", {
    class: "field number", type: "number", min: "0", step: "any", value: filters.min_duration_ms ?? "", placeholder: "0",
    data: { testid: "filter-min-duration" }, attrs: { "aria-label": "Minimum duration in milliseconds", inputmode: "decimal" },
  });
  const errors = el("input", {
    class: "switch", type: "checkbox", checked: filters.errors === "true", data: { testid: "filter-errors" },
  });
  const clear = el("button", { class: "quiet", type: "button", hidden: true, on: { click: clearFilters } }, "Clear");
  const summary = el("p", { class: "summary", attrs: { role: "status" } });
  const list = el("ul", { class: "traces", hidden: true, data: { testid: "trace-list" }, attrs: { "aria-label": "Traces, newest first" } });
  const empty = el("div", { class: "empty", hidden: true, data: { testid: "empty-state" } });

  const form = el("form", { class: "filters", attrs: { role: "search" }, on: { submit: (event) => { event.preventDefault(); apply(); } } },
    query,
    el("div", { class: "filter-row" },
      service, operation,
      el("label", { class: "inline" }, el("span", {}, "Min"), minimum, el("span", { class: "unit" }, "ms")),
      el("label", { class: "inline toggle" }, errors, el("span", {}, "Errors only")),
      clear));
  view.replaceChildren(el("section", { class: "list-view" }, form, summary, list, empty));
  document.title = "Clewline";

  let typing = null;
  const soon = () => { clearTimeout(typing); typing = setTimeout(apply, 200); };
  query.addEventListener("input", soon);
  minimum.addEventListener("input", soon);
  errors.addEventListener("change", apply);
  operation.addEventListener("change", apply);
  service.addEventListener("change", () => { operation.value = ""; apply(); });
  list.addEventListener("keydown", moveFocus);
  fillSelects();
  const loading = oneAtATime(load);
  loading.now();
  return { refresh: loading.soon, close: () => { clearTimeout(typing); clearTimeout(later); loading.stop(); } };

  function apply() {
    clearTimeout(typing);
    filters = {
      service: service.value, operation: operation.value, q: query.value.trim(),
      min_duration_ms: Number(minimum.value) > 0 ? minimum.value : "", errors: errors.checked ? "true" : "",
    };
    replaceRoute({ filters });
    fillSelects();
    loading.now();
  }

  function clearFilters() {
    query.value = minimum.value = service.value = operation.value = "";
    errors.checked = false;
    apply();
    query.focus();
  }

  async function load(signal) {
    const search = searchOf(filters);
    search.set("limit", LIMIT);
    try {
      const answer = await getJson(`/api/traces?${search}`, signal);
      const names = new Set(services.map((entry) => entry.name));
      const due = servicesAt + SERVICES_EVERY - Date.now();
      if (due <= 0 || answer.traces.some((trace) => trace.services.some((name) => !names.has(name)))) {
        services = (await getJson("/api/services", signal)).services;
        servicesAt = Date.now();
      } else {
        // A known service may have a new operation; it is looked up even if nothing else ever arrives.
        later ??= setTimeout(() => { later = null; loading.soon(); }, due);
      }
      fillSelects();
      draw(answer);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      summary.textContent = error.message;
    }
  }

  function fillSelects() {
    const chosen = services.find((entry) => entry.name === filters.service);
    const operations = chosen ? chosen.operations : services.flatMap((entry) => entry.operations);
    choices(service, "All services", services.map((entry) => entry.name), filters.service);
    choices(operation, "All operations", [...new Set(operations)].sort(), filters.operation);
    clear.hidden = !Object.values(filters).some(Boolean);
  }

  function draw({ traces, matched }) {
    const filtered = Object.values(filters).some(Boolean);
    const longest = Math.max(1, ...traces.map((trace) => Number(trace.duration_ns)));
    const shown = new Set();
    let place = list.firstElementChild;
    for (const trace of traces) {
      shown.add(trace.trace_id);
      const state = JSON.stringify([trace, longest, filters]);
      const old = rows.get(trace.trace_id);
      let item = old?.item;
      if (!old) {
        item = el("li", { class: known ? "fresh" : "" }, row(trace, longest));
      } else if (old.state !== state) {
        const hadFocus = item.contains(document.activeElement);
        item.replaceChildren(row(trace, longest));
        if (hadFocus) item.firstElementChild.focus({ preventScroll: true });
      }
      rows.set(trace.trace_id, { item, state });
      if (item === place) place = place.nextElementSibling;
      else list.insertBefore(item, place);
    }
    for (const [id, { item }] of rows) {
      if (shown.has(id)) continue;
      item.remove();
      rows.delete(id);
    }
    known = true;
    list.hidden = traces.length === 0;
    empty.hidden = traces.length > 0;
    summary.textContent = traces.length === 0 ? "" : matched > traces.length
      ? `The newest ${count(traces.length)} of ${plural(matched, "trace")}` : plural(matched, "trace");
    if (traces.length === 0 && empty.dataset.kind !== String(filtered)) {
      empty.dataset.kind = String(filtered);
      fill(empty, filtered ? nothingMatches(clearFilters) : howToSend());
    }
  }

  function row(trace, longest) {
    const share = Math.max(0.5, 100 * Number(trace.duration_ns) / longest);
    const label = `${trace.root.name}, ${trace.root.service}, ${duration(Number(trace.duration_ns))}, ${plural(trace.span_count, "span")}`
      + (trace.error_count ? `, ${plural(trace.error_count, "error")}` : "");
    return el("a", {
      class: trace.error_count ? "trace has-error" : "trace", href: hashOf({ traceId: trace.trace_id, filters }),
      data: { testid: "trace-row", traceId: trace.trace_id, service: trace.root.service }, attrs: { "aria-label": label },
      vars: serviceColour(trace.root.service),
    },
      el("span", { class: "trace-name" },
        el("span", { class: "trace-root" }, trace.root.name || "(no name)"),
        !trace.root_received && el("span", { class: "hint", title: "The root span has not arrived" }, "no root yet")),
      el("span", { class: "chips" }, shortened(trace.services).map((entry) => typeof entry === "number"
        ? el("span", { class: "chip more" }, `+${entry}`) : serviceChip(entry))),
      el("span", { class: "trace-duration" },
        el("span", {}, duration(Number(trace.duration_ns))),
        el("span", { class: "meter" }, el("span", { class: "meter-fill", vars: { "--share": `${share}%` } }))),
      el("span", { class: "trace-spans" }, plural(trace.span_count, "span")),
      el("span", { class: "trace-errors" }, trace.error_count > 0 && el("span", { class: "badge error" }, plural(trace.error_count, "error"))),
      el("span", { class: "trace-time" }, el("time", { title: trace.trace_id }, clock(trace.start_time_unix_nano)),
        el("span", { class: "trace-day" }, day(trace.start_time_unix_nano))));
  }

  function moveFocus(event) {
    const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
    if (!step) return;
    const links = [...list.querySelectorAll("a.trace")];
    const next = links[links.indexOf(document.activeElement) + step];
    if (next) {
      event.preventDefault();
      next.focus();
    }
  }
}

/** At most three services, then how many more there are. */
function shortened(services) {
  return services.length <= 3 ? services : [...services.slice(0, 2), services.length - 2];
}

/** Sets the choices of a select, keeping the chosen one even when no span has it (any more). */
function choices(select, all, names, chosen = "") {
  const offered = chosen && !names.includes(chosen) ? [chosen, ...names] : names;
  const state = JSON.stringify(offered);
  if (select.dataset.state !== state) {
    select.dataset.state = state;
    select.replaceChildren(el("option", { value: "" }, all), ...offered.map((name) => el("option", { value: name }, name)));
  }
  select.value = chosen;
}

function nothingMatches(clearFilters) {
  return [
    el("h2", {}, "No trace matches"),
    el("p", {}, "Every term of the search has to be found in a trace; values are compared whole: ",
      el("code", {}, "http.route=/cart"), "."),
    el("button", { class: "primary", type: "button", on: { click: clearFilters } }, "Clear the filters"),
  ];
}

function howToSend() {
  const base = location.origin;
  const snippet = (title, text) => el("figure", { class: "snippet" },
    el("figcaption", {}, el("span", {}, title), copyButton(text, `Copy: ${title}`)), el("pre", {}, el("code", {}, text)));
  const example = JSON.stringify({ resourceSpans: [{
    resource: { attributes: [{ key: "service.name", value: { stringValue: "hello" } }] },
    scopeSpans: [{ spans: [{
      traceId: "5b8efff798038103d269b633813fc60c", spanId: "eee19b7ec3c1b174", name: "hello, clewline", kind: 2,
      startTimeUnixNano: "1700000000000000000", endTimeUnixNano: "1700000000120000000",
    }] }],
  }] });
  return [
    el("h2", {}, "Waiting for the first span"),
    el("p", {}, "This server takes OTLP over HTTP, protobuf or JSON, at ", el("code", {}, `${base}/v1/traces`),
      ". Traces appear here as they arrive."),
    snippet("Any OpenTelemetry SDK, in any language",
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${base}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_SERVICE_NAME=my-service`),
    snippet("A Rust server", `let _guard = clewline::init()?;   // then use tracing as always: #[instrument], info_span!, …`),
    snippet("A web page", `import { init } from "clewline";\ninit({ serviceName: "my-page", endpoint: "${base}/v1/traces" });`),
    snippet("Just to see one", `curl ${base}/v1/traces -H 'content-type: application/json' -d '${example}'`),
  ];
}
