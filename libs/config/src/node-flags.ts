/** Flags of Node itself that the processes are started with, by whoever starts them by path. */

/**
 * The young generation of V8's heap has 16 MiB a half, no less and no more. V8 fits it to what survives, which of
 * reads is next to nothing, and then collects every 3.5 MB: twenty times a second at 15,000 reads a second, a millisecond each.
 * So it collects two to eight times less often, for at most 48 MiB of memory. Where much survives, as of listings, it would grow on: a walk
 * over a million keys took 279 MiB, and takes 209. A cold read of a small object costs 2 to 4 % more so.
 *
 * And it collects on the main thread alone: so little survives that threads which share the work cost more than they do. Three
 * workers on two cores used a tenth to a sixth less CPU time in loads of small objects without them, beside rclone's in the same
 * rounds; hits of 4 KiB are as fast.
 */
const WORKER: readonly string[] = ["--min-semi-space-size=16", "--max-semi-space-size=16", "--no-parallel-scavenge"];

/**
 * With a heap of 2 GiB and more, V8 lets garbage grow to three times of what lives before it marks; below, to half as much
 * again, by the bound's size. Of 1,500 workers some 200 MB live, and 700 to 840 MB lay there between two collections.
 */
const CONSOLE: readonly string[] = ["--max-old-space-size=1536"];

/** What Node is started with for an app's process; a flag that NODE_OPTIONS has is left to it, for Node would prefer the one given here. */
export function nodeFlagsOf(app: string, nodeOptions = process.env.NODE_OPTIONS ?? ""): readonly string[] {
  const flags = app === "worker" ? WORKER : app === "console" ? CONSOLE : [];
  const given = new Set(nodeOptions.split(/\s+/).map(nameOf));
  return flags.filter((flag) => !given.has(nameOf(flag)));
}

/** Node takes underscores for hyphens. */
function nameOf(flag: string): string {
  return (flag.split("=")[0] ?? "").replaceAll("_", "-");
}
