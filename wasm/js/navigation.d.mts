/** Types of `clewline/navigation`: spans of changes of route. */

import type { Instrumentation } from "./index.mjs";

export interface NavigationOptions {
  /**
   * Names the route of an address, such as `/items/:id`; a change of the name is a change of route, and the name is recorded as
   * `url.template`. For routes in the fragment: `(url) => url.hash`. Default: the path is the route, and no template is recorded.
   */
  route?: (url: URL) => string;
}

/**
 * A span `navigation` for each change of route by script or by the back button, without loading: by the Navigation API from its beginning
 * until the page says that it is done, else to the end of the task. A second one in a page does nothing.
 */
export declare function traceNavigation(options?: NavigationOptions): Instrumentation;
