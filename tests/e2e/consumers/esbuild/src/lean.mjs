/** Imports everything and uses little of it, so that a bundler shows what it leaves out. */

import { init } from "clewline";
import { provideApi } from "clewline/api";
import { traceDocumentLoad } from "clewline/document-load";
import { traceErrors } from "clewline/errors";
import { traceFetch } from "clewline/fetch";
import { sendGzip } from "clewline/gzip";
import { traceInteraction } from "clewline/interaction";
import { sendJson } from "clewline/json";
import { traceLongTasks } from "clewline/long-tasks";
import { traceNavigation } from "clewline/navigation";
import { keepOffline } from "clewline/offline";
import { session } from "clewline/session";
import { traceTiming } from "clewline/timing";
import { traceVisibility } from "clewline/visibility";
import { traceWeb } from "clewline/web";
import { traceWebVitals } from "clewline/web-vitals";
import { traceXhr } from "clewline/xhr";

init({ serviceName: "lean", instrumentations: [traceFetch()] });
