/** The cluster that the browser tests look at: the demo, as `npm start` brings it up. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cluster, startCluster } from "./cluster.ts";

let cluster: Cluster | undefined;

/** Playwright's global set-up; what it returns is the tear-down. */
export default async function setup(): Promise<() => Promise<void>> {
  const runs = mkdtempSync(join(tmpdir(), "ringlight-runs-"));
  cluster = await startCluster({
    portOffset: 1040,
    args: ["--restart-after", "20s", "--lease-ttl", "3s"],
    env: { RINGLIGHT_BENCH_DIR: runs },
  });
  process.env.CONSOLE_RUNS = runs;
  process.env.CONSOLE_URL = cluster.info().console ?? "";
  process.env.CONSOLE_DATA = cluster.dataDir;
  return async () => {
    await cluster?.remove();
    rmSync(runs, { recursive: true, force: true });
  };
}
