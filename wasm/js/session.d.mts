/** Types of `clewline/session`: resource attributes of a browser. */

/** `session.id`, for `init`'s `resource`: the same for this origin until `pause` milliseconds (half an hour) passed without a page. */
export declare function session(options?: { storage?: Storage; pause?: number }): { "session.id": string };

/** `browser.*` and `user_agent.original`, for `init`'s `resource`. */
export declare function browser(): Record<string, string | boolean | string[]>;
