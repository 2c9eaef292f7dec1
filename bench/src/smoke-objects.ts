/** The objects of the smoke benchmark. */

/** Bucket at the origin, and name of the mount. */
export const BUCKET = "bench";

/** Runs of objects that are named `<prefix><index>`. */
export type SmokeObjects = readonly { readonly prefix: string; readonly count: number; readonly sizeBytes: number }[];
