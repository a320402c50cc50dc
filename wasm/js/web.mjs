/** All that a page usually wants to see of itself, in one instrumentation. */

import { traceDocumentLoad } from "./document-load.mjs";
import { traceErrors } from "./errors.mjs";
import { traceFetch } from "./fetch.mjs";
import { freeForgotten } from "./forgotten.mjs";
import { traceInteraction } from "./interaction.mjs";
import { traceLongTasks } from "./long-tasks.mjs";
import { traceNavigation } from "./navigation.mjs";
import { keepOffline } from "./offline.mjs";
import { startAll } from "./start.mjs";
import { traceTiming } from "./timing.mjs";
import { traceXhr } from "./xhr.mjs";

/** The instrumentation, for `init`'s list; takes the options of all of them. */
export const traceWeb = (options = {}) => {
  const all = [traceTiming, traceFetch, traceXhr, traceDocumentLoad, traceInteraction, traceNavigation, traceErrors, traceLongTasks, keepOffline];
  // Options that are wrong are said here, before anything is started.
  const parts = all.map((part) => part(options));
  return () => {
    freeForgotten();
    return startAll(parts);
  };
};
