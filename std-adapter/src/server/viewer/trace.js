/** One trace: its header, the waterfall and the details of the selected span. */

import { getJson, oneAtATime } from "/api.js";
import { copyButton, el, serviceChip } from "/dom.js";
import { drawDetails } from "/details.js";
import { duration, fullTime, nanosBetween, plural } from "/format.js";
import { hashOf, replaceRoute } from "/route.js";
import { openWaterfall } from "/waterfall.js";

/** Wide enough for the details to stand beside the waterfall; the same limit is in style.css. */
const besides = matchMedia("(min-width: 1000px)");

/** Draws the trace into `view`. Returns `{ refresh(), select(spanId), close() }`. */
export function openTrace(view, route) {
  const { traceId, filters } = route;
  let selected = route.spanId;
  let trace = null;
  let waterfall = null;
  let drawn = null;

  const back = el("a", { class: "back", href: hashOf({ filters }), attrs: { "aria-keyshortcuts": "Escape" } }, "← All traces");
  const header = el("div", { class: "trace-header" });
  const body = el("div", { class: "trace-body" });
  const details = el("aside", { class: "details", hidden: true, data: { testid: "span-details" }, attrs: { "aria-label": "Selected span" } });
  const board = el("div", { class: "board" });
  view.replaceChildren(el("section", { class: "trace-view" }, back, header, body));
  document.title = "Trace · Clewline";
  const loading = oneAtATime(load);
  loading.now();
  return { refresh: loading.soon, select, close: loading.stop };

  async function load(signal) {
    try {
      trace = model(await getJson(`/api/traces/${traceId}`, signal));
    } catch (error) {
      if (error.name === "AbortError") throw error;
      if (trace && error.status === 0) return;
      header.replaceChildren(el("h1", {}, error.status === 404 ? "This trace is not here" : "This trace cannot be shown"));
      body.replaceChildren(el("div", { class: "empty" }, error.status === 404
        ? el("p", {}, "It has not arrived, or it was evicted to make room for newer ones. If it arrives, it appears here.")
        : el("p", {}, error.message), el("p", {}, el("code", {}, traceId))));
      trace = waterfall = null;
      return;
    }
    draw();
  }

  function draw() {
    drawHeader();
    if (waterfall) {
      waterfall.update(trace);
    } else {
      waterfall = openWaterfall(board, trace, (node) => { select(node.span_id); });
      body.replaceChildren(board, details);
    }
    if (!selected && besides.matches) selected = trace.nodes[0].span_id;
    show();
  }

  function drawHeader() {
    const root = trace.nodes[0];
    document.title = `${root.name} · Clewline`;
    const fact = (term, ...description) => el("div", {}, el("dt", {}, term), el("dd", {}, ...description));
    header.replaceChildren(
      el("h1", {}, root.name || "(no name)"),
      el("div", { class: "chips" }, [...trace.services].map(([name, spans]) => serviceChip(name, spans))),
      el("dl", { class: "facts" },
        fact("Duration", el("strong", {}, duration(trace.length))),
        fact("Spans", String(trace.nodes.length)),
        fact("Errors", trace.errors ? el("span", { class: "badge error" }, plural(trace.errors, "error")) : "none"),
        fact("Start", fullTime(trace.start)),
        fact("Trace id", el("code", {}, traceId), copyButton(traceId, "Copy the trace id"))));
  }

  function select(spanId) {
    selected = spanId;
    replaceRoute({ traceId, spanId, filters });
    show();
  }

  function show() {
    const node = trace?.byId.get(selected) ?? null;
    waterfall?.select(node?.span_id ?? null);
    details.hidden = node === null;
    const state = node && fingerprint(node);
    // Unchanged details stay as they are: the reader may have scrolled or folded them.
    if (node && state !== drawn) drawDetails(details, trace, node, { filters, close: () => select(null) });
    drawn = state;
  }
}

/** Changes whenever the details of a span would look different. */
function fingerprint(node) {
  return JSON.stringify([node.span_id, node.name, node.offset, node.length, node.status, node.attributes, node.events,
    node.links, node.resource, node.children.map((child) => [child.offset, child.length])]);
}

/**
 * What the page works with. The server lists parents before their children, so a parent that is not known yet is not
 * there at all, and no order of spans can make this loop.
 */
function model(answer) {
  const trace = { traceId: answer.trace_id, nodes: answer.spans, byId: new Map(), services: new Map(), errors: 0, start: null, length: 1 };
  let end = 0n;
  let start = null;
  for (const node of trace.nodes) {
    const [from, to] = [BigInt(node.start_time_unix_nano), BigInt(node.end_time_unix_nano)];
    node.length = Math.max(0, Number(to - from));
    node.parent = trace.byId.get(node.parent_span_id) ?? null;
    node.orphan = node.parent === null && node.parent_span_id !== null;
    node.depth = node.parent ? node.parent.depth + 1 : 0;
    node.children = [];
    node.parent?.children.push(node);
    node.failed = node.status.code === "ERROR";
    trace.errors += node.failed ? 1 : 0;
    trace.byId.set(node.span_id, node);
    trace.services.set(node.service, (trace.services.get(node.service) ?? 0) + 1);
    // Zero: the sender has no clock, or none yet.
    if (from !== 0n && (start === null || from < start)) start = from;
    if (to > end) end = to;
  }
  trace.start = String(start ?? 0n);
  trace.length = Math.max(1, Number(end - (start ?? 0n)));
  for (const node of trace.nodes) node.offset = Math.max(0, nanosBetween(trace.start, node.start_time_unix_nano));
  // From the last to the first: children come after their parents.
  for (let index = trace.nodes.length - 1; index >= 0; index -= 1) {
    const node = trace.nodes[index];
    node.below = node.children.reduce((sum, child) => sum + 1 + child.below, 0);
    node.failedBelow = node.children.some((child) => child.failed || child.failedBelow);
  }
  return trace;
}
