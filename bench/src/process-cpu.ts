/** CPU time of other processes. */
import { readFileSync } from "node:fs";

/** Clock ticks a second of /proc/<pid>/stat on Linux. */
const TICKS_PER_SECOND = 100;

/** User and system time of the processes so far, seconds. */
export function cpuSecondsOf(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name may hold spaces; what follows it does not.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / TICKS_PER_SECOND;
}
