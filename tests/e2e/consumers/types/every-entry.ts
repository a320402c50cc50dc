/** Takes something from each entry of the package, so that a compiler reads all of its declarations. */

import * as main from "clewline";
import * as api from "clewline/api";
import * as cloudflare from "clewline/cloudflare";
import * as documentLoad from "clewline/document-load";
import * as errors from "clewline/errors";
import * as fallback from "clewline/fallback";
import * as fetch from "clewline/fetch";
import * as gzip from "clewline/gzip";
import * as interaction from "clewline/interaction";
import * as json from "clewline/json";
import * as longTasks from "clewline/long-tasks";
import * as navigation from "clewline/navigation";
import * as offline from "clewline/offline";
import * as session from "clewline/session";
import * as slim from "clewline/slim";
import * as timing from "clewline/timing";
import * as visibility from "clewline/visibility";
import * as web from "clewline/web";
import * as webVitals from "clewline/web-vitals";
import * as workers from "clewline/workers";
import * as xhr from "clewline/xhr";

/** All that the declarations promise; a test compares it with what the files export. */
export const entries = {
  ".": main,
  "./api": api,
  "./cloudflare": cloudflare,
  "./document-load": documentLoad,
  "./errors": errors,
  "./fallback": fallback,
  "./fetch": fetch,
  "./gzip": gzip,
  "./interaction": interaction,
  "./json": json,
  "./long-tasks": longTasks,
  "./navigation": navigation,
  "./offline": offline,
  "./session": session,
  "./slim": slim,
  "./timing": timing,
  "./visibility": visibility,
  "./web": web,
  "./web-vitals": webVitals,
  "./workers": workers,
  "./xhr": xhr,
};
