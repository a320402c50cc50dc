/** The waterfall: one row per span with its bar on the time scale of the trace. */

import { serviceColour } from "/colour.js";
import { el } from "/dom.js";
import { duration, nanosBetween, plural } from "/format.js";

/** Rows drawn at once; a button draws the next ones. Keeps a trace of 100,000 spans usable. */
const PAGE = 1000;
/** Event ticks drawn per bar; more than that is a solid line anyway. */
const TICKS = 60;
const KINDS = { SERVER: "server", CLIENT: "client", INTERNAL: "internal", PRODUCER: "producer", CONSUMER: "consumer" };

/** Draws the waterfall into `board`; `chosen` hears of selections. Returns `{ update(trace), select(spanId) }`. */
export function openWaterfall(board, firstTrace, chosen) {
  let trace = firstTrace;
  let selected = null;
  let limit = PAGE;
  let visible = [];
  const collapsed = new Set();
  const scale = el("div", { class: "scale", attrs: { "aria-hidden": "true" } });
  const handle = el("div", { class: "handle", title: "Drag to give the names more room", attrs: { "aria-hidden": "true" } });
  const all = el("button", { class: "quiet", type: "button", on: { click: toggleAll } });
  const rows = el("div", { class: "rows", attrs: { role: "tree", "aria-label": "Spans" }, on: { keydown: onKey } });
  const more = el("button", { class: "quiet more-rows", type: "button", hidden: true, on: { click: () => { limit += PAGE; draw(); } } });
  board.replaceChildren(el("div", { class: "waterfall", data: { testid: "waterfall" } },
    el("div", { class: "waterfall-head" }, el("div", { class: "name-head" }, el("span", {}, "Span"), all), scale, handle), rows, more));
  handle.addEventListener("pointerdown", startDrag);
  draw();

  return {
    update(next) {
      trace = next;
      draw();
    },
    select(spanId) {
      if (selected === spanId) return;
      selected = spanId;
      let hidden = trace.byId.get(spanId)?.parent;
      let opened = false;
      for (; hidden; hidden = hidden.parent) opened = collapsed.delete(hidden.span_id) || opened;
      while (trace.nodes.length > limit && trace.nodes.findIndex((node) => node.span_id === spanId) >= limit) {
        limit += PAGE;
        opened = true;
      }
      if (opened) draw();
      else mark();
      if (spanId) rowOf(spanId)?.scrollIntoView({ block: "nearest" });
    },
  };

  function draw() {
    const focused = rows.contains(document.activeElement) ? document.activeElement.dataset.spanId : null;
    const hidden = new Set();
    visible = trace.nodes.filter((node) => {
      const gone = node.parent && (collapsed.has(node.parent.span_id) || hidden.has(node.parent));
      if (gone) hidden.add(node);
      return !gone;
    });
    const marks = [0, 0.25, 0.5, 0.75, 1];
    scale.replaceChildren(...marks.map((share) => el("span", { vars: { "--at": `${100 * share}%` } }, share === 0 ? "0" : duration(share * trace.length))));
    rows.replaceChildren(...visible.slice(0, limit).map(row));
    more.hidden = visible.length <= limit;
    more.textContent = `Show the next ${Math.min(PAGE, visible.length - limit)} of ${plural(visible.length - limit, "more span")}`;
    all.hidden = !trace.nodes.some((node) => node.children.length && node.parent);
    all.textContent = collapsed.size ? "Expand all" : "Collapse";
    all.title = collapsed.size ? "Show every span" : "Show only the first two levels";
    mark();
    if (focused) rowOf(focused)?.focus({ preventScroll: true });
  }

  function mark() {
    const current = visible.some((node) => node.span_id === selected) ? selected : visible[0]?.span_id;
    for (const element of rows.children) {
      element.setAttribute("aria-selected", String(element.dataset.spanId === selected));
      element.tabIndex = element.dataset.spanId === current ? 0 : -1;
    }
  }

  function rowOf(spanId) {
    return rows.querySelector(`[data-span-id="${CSS.escape(spanId)}"]`);
  }

  function row(node) {
    const open = !collapsed.has(node.span_id);
    const kind = KINDS[node.kind];
    const attrs = { role: "treeitem", "aria-level": String(node.depth + 1), "aria-label": `${node.name}, ${node.service}, ${node.kind.toLowerCase()}, ${duration(node.length)}${node.failed ? ", error" : ""}` };
    if (node.children.length) attrs["aria-expanded"] = String(open);
    return el("div", {
      class: node.failed ? "span failed" : "span", attrs, vars: { ...serviceColour(node.service), "--depth": Math.min(node.depth, 24) },
      data: { testid: "span-row", spanId: node.span_id, service: node.service, kind: node.kind, status: node.status.code },
      on: { click: () => chosen(node) },
    },
      el("div", { class: "span-name" },
        node.children.length > 0
          ? el("button", {
            class: open ? "caret open" : "caret", type: "button", tabIndex: -1, title: open ? "Collapse" : "Expand", attrs: { "aria-hidden": "true" },
            on: { click: (event) => { event.stopPropagation(); toggle(node); } },
          })
          : el("span", { class: "leaf" }),
        el("span", { class: "stripe" }),
        node.failed && el("span", { class: "fail-mark", title: node.status.message || "Error" }, "!"),
        el("span", { class: "span-title", title: node.name }, node.name || "(no name)"),
        // Said again only where it changes: the colour says the rest.
        node.parent?.service !== node.service && el("span", { class: "span-service" }, node.service),
        !open && el("span", { class: node.failedBelow ? "badge count error" : "badge count" }, `+${node.below}`),
        node.orphan && el("span", { class: "hint", title: "Its parent span has not arrived" }, "no parent"),
        kind && kind !== "internal" && el("span", { class: `kind ${kind}` }, kind)),
      el("div", { class: "track" }, bar(node)));
  }

  function bar(node) {
    const share = (nanos) => 100 * nanos / trace.length;
    const left = clamp(share(node.offset), 0, 100);
    const width = clamp(share(node.length), 0, 100 - left);
    const side = left + width < 80 ? "after" : left > 20 ? "before" : "inside";
    const ticks = node.events.slice(0, TICKS).map((event) => el("span", {
      class: event.name === "exception" ? "tick bad" : "tick", title: event.name,
      vars: { "--at": `${clamp(share(nanosBetween(trace.start, event.time_unix_nano)), 0, 100)}%` },
    }));
    return [
      el("span", { class: "span-bar", vars: { "--left": `${left}%`, "--width": `${width}%` } }),
      ...ticks,
      el("span", { class: `bar-label ${side}`, vars: { "--left": `${left}%`, "--right": `${100 - left - width}%`, "--end": `${left + width}%` } }, duration(node.length)),
    ];
  }

  function toggle(node) {
    if (!collapsed.delete(node.span_id)) collapsed.add(node.span_id);
    draw();
  }

  function toggleAll() {
    if (collapsed.size) collapsed.clear();
    else for (const node of trace.nodes) if (node.depth >= 1 && node.children.length) collapsed.add(node.span_id);
    draw();
  }

  function onKey(event) {
    const at = visible.findIndex((node) => node.span_id === event.target.dataset.spanId);
    const node = visible[at];
    if (!node || event.altKey || event.ctrlKey || event.metaKey) return;
    const open = node.children.length > 0 && !collapsed.has(node.span_id);
    const go = (target) => {
      if (!target) return;
      chosen(target);
      rowOf(target.span_id)?.focus();
    };
    const actions = {
      ArrowDown: () => go(visible[at + 1]),
      ArrowUp: () => go(visible[at - 1]),
      Home: () => go(visible[0]),
      End: () => go(visible[Math.min(visible.length, limit) - 1]),
      Enter: () => chosen(node),
      " ": () => chosen(node),
      ArrowRight: () => open ? go(visible[at + 1]) : node.children.length && toggle(node),
      ArrowLeft: () => open ? toggle(node) : go(node.parent),
    };
    const action = actions[{ j: "ArrowDown", k: "ArrowUp" }[event.key] ?? event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  function startDrag(event) {
    const box = board.getBoundingClientRect();
    const move = (moved) => board.style.setProperty("--names", `${clamp(100 * (moved.clientX - box.left) / box.width, 15, 75)}%`);
    event.preventDefault();
    handle.setPointerCapture(event.pointerId);
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move), { once: true });
  }
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}
