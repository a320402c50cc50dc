/** The viewer's entry: follows the address, keeps the open view up to date, shows what the server holds. */

import { followChanges, getJson } from "/api.js";
import { meetServices } from "/colour.js";
import { el, toast } from "/dom.js";
import { bytes, count } from "/format.js";
import { openList } from "/list.js";
import { hashOf, readRoute } from "/route.js";
import { openTrace } from "/trace.js";

const view = document.getElementById("view");
const live = document.getElementById("live");
const liveText = document.getElementById("live-text");
let open = null;
let openRoute = null;
let paused = false;
let missed = false;
let connection = "connecting";

function showRoute() {
  const route = readRoute();
  const same = openRoute && openRoute.traceId === route.traceId;
  if (same && route.traceId) {
    open.select(route.spanId);
  } else {
    open?.close();
    open = route.traceId ? openTrace(view, route) : openList(view);
    scrollTo(0, 0);
  }
  openRoute = route;
}

async function showStats() {
  try {
    const stats = await getJson("/api/stats");
    const item = (term, value, warn) => el("div", { class: warn ? "warn" : "" }, el("dt", {}, term), el("dd", {}, value));
    document.getElementById("stats").replaceChildren(
      item("traces", count(stats.stored_traces)),
      item("spans", count(stats.stored_spans)),
      item("memory", `${bytes(stats.stored_bytes)} of ${bytes(stats.memory_limit_bytes)}`),
      ...(stats.evicted_traces ? [item("evicted", count(stats.evicted_traces))] : []),
      ...(stats.rejected_spans + stats.rejected_requests
        ? [item("rejected", count(stats.rejected_spans + stats.rejected_requests), true)] : []));
  } catch {
    // The live mark already says that the server is away.
  }
}

function showConnection() {
  live.dataset.state = connection === "live" && paused ? "paused" : connection;
  live.setAttribute("aria-pressed", String(!paused));
  liveText.textContent = { live: paused ? "paused" : "live", offline: "offline", connecting: "connecting" }[connection];
  live.title = paused ? "Resume live updates" : "Pause live updates";
}

function changed(ids) {
  if (paused) {
    missed = true;
    return;
  }
  showStats();
  const { traceId } = readRoute();
  if (!traceId || ids.size === 0 || ids.has(traceId)) open?.refresh();
}

live.addEventListener("click", () => {
  paused = !paused;
  if (!paused && missed) changed(new Set());
  missed = false;
  showConnection();
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input, select, textarea");
  if (event.key === "/" && !typing) {
    const box = view.querySelector("input[type=search]");
    if (box) {
      event.preventDefault();
      box.select();
    }
  } else if (event.key === "Escape" && typing) {
    event.target.blur();
  } else if (event.key === "Escape" && openRoute?.traceId) {
    location.hash = hashOf({ filters: readRoute().filters });
  } else if ((event.key === "j" || event.key === "ArrowDown") && event.target === document.body) {
    const first = view.querySelector("a.trace, [role=treeitem][tabindex='0']");
    if (first) {
      event.preventDefault();
      first.focus();
    }
  }
});

addEventListener("hashchange", showRoute);
addEventListener("unhandledrejection", (event) => toast(event.reason?.message ?? "Something went wrong in the viewer."));
followChanges({ interval: 500, changed, state: (next) => { connection = next; showConnection(); } });
showConnection();
showStats();
await meetServices();
showRoute();
