/** Flags of Node itself that the processes are started with, by whoever starts them by path. */

/**
 * For workers: the young generation of V8's heap is not to shrink below 16 MiB a half. V8 fits it to what survives, which of
 * reads is next to nothing, and then collects every 3.5 MB: twenty times a second at 15,000 reads a second, a millisecond each.
 * So it collects two to eight times less often, for at most 48 MiB of memory.
 *
 * And it collects on the main thread alone: so little survives that threads which share the work cost more than they do. Three
 * workers on two cores used a tenth to a sixth less CPU time in loads of small objects without them, beside rclone's in the same
 * rounds; hits of 4 KiB are as fast.
 */
export const WORKER_NODE_FLAGS: readonly string[] = ["--min-semi-space-size=16", "--no-parallel-scavenge"];
