/**
 * Makes one span of each gesture: a click or a submission, from the first listener to the last, active while they run.
 *
 * Events that others cause in the same task, as a label's click or a button's submission do, belong to the gesture that is under way; and
 * so do the further events of one press, where several of them are wanted.
 */

import { enter } from "./context.mjs";
import { startSpan } from "./tracer.mjs";

/** What can be used; a click elsewhere is none on anything. */
const USABLE = "a,area,button,input,label,option,select,summary,textarea,video,audio,[role],[onclick],[contenteditable],[data-testid]";
/** How long one press takes at most, in milliseconds. */
const LONGEST = 2000;

/** The element in a few words that say nothing of its content: `button#checkout`. */
function describe(element) {
  const id = element.getAttribute("id");
  const mark = id ? `#${id}` : element.dataset?.testid ? `[data-testid=${element.dataset.testid}]` : "";
  return element.localName + mark;
}

let installed;

/** The instrumentation, for `init`'s list; a second one does nothing. */
export const traceInteraction = ({ events = ["click", "submit"], selector = USABLE } = {}) => {
  // A selector that is none fails here and not with every click.
  globalThis.document?.querySelector(selector);
  return () => listen(events, selector);
};

function listen(events, selector) {
  if (installed || !globalThis.document) return;
  installed = true;
  const listening = new AbortController();
  /** The last press: its span, its element, the events of it that were seen, and when it began. */
  let press;
  /** Ends what is under way. */
  let finish;

  /** The element that was used, within a component too. */
  const used = (event) => {
    const path = event.composedPath();
    return path.find((node) => node.matches?.(selector)) ?? (event.type === "submit" && event.target);
  };

  function begin(event) {
    const element = !finish && used(event);
    if (!element) return;
    const { type, timeStamp } = event;
    const goesOn = press && press.element === element && !press.types.has(type) && timeStamp - press.at < LONGEST;
    if (!goesOn) {
      const attributes = { "ui.event": type, "ui.element": describe(element), "ui.trusted": event.isTrusted, "url.path": location.pathname };
      press = { span: startSpan(type, { attributes }), element, types: new Set(), at: timeStamp };
    }
    const { span, types } = press;
    types.add(type);
    const leave = enter(span);
    finish = () => {
      clearTimeout(timer);
      finish = undefined;
      leave();
      span.end();
    };
    // Whatever listeners do to the event, its dispatch is over in the next task.
    const timer = setTimeout(finish);
  }

  /** Hand and key begin anew, however little time the page had in between. */
  function anew({ isTrusted }) {
    if (!isTrusted) return;
    finish?.();
    press = undefined;
  }

  for (const type of ["pointerdown", "keydown"]) addEventListener(type, anew, { capture: true, passive: true, signal: listening.signal });
  for (const type of events) addEventListener(type, begin, { capture: true, signal: listening.signal });
  return () => {
    installed = false;
    listening.abort();
    finish?.();
  };
}
