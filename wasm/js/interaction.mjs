/**
 * Makes one span of each gesture: a click or a submission, from the first listener to the last, active while they run.
 *
 * Events that others cause in the same task, as a label's click or a button's submission do, belong to the gesture that is under way.
 */

import { enter } from "./context.mjs";
import { startSpan } from "./tracer.mjs";

/** What can be used; a click elsewhere is none on anything. */
const USABLE = "a,area,button,input,label,option,select,summary,textarea,video,audio,[role],[onclick],[contenteditable],[data-testid]";

/** The element in a few words that say nothing of its content: `button#checkout`. */
function describe(element) {
  const mark = element.id ? `#${element.id}` : element.dataset?.testid ? `[data-testid=${element.dataset.testid}]` : "";
  return element.localName + mark;
}

/** The instrumentation, for `init`'s list. */
export const traceInteraction = ({ events = ["click", "submit"], selector = USABLE } = {}) => () => {
  const listening = new AbortController();
  let underWay = false;

  function begin(event) {
    const element = event.target?.closest?.(selector) ?? (event.type === "submit" && event.target);
    if (underWay || !element) return;
    underWay = true;
    const span = startSpan(event.type, {
      attributes: { "ui.event": event.type, "ui.element": describe(element), "ui.trusted": event.isTrusted, "url.path": location.pathname },
    });
    const leave = enter(span);
    // Whatever listeners do to the event, its dispatch is over in the next task.
    setTimeout(() => {
      leave();
      underWay = false;
      span.end();
    });
  }

  for (const type of events) addEventListener(type, begin, { capture: true, signal: listening.signal });
  return () => listening.abort();
};
