/** `ringlight status`: who is there, what is cached, who leads. */
import type { RinglightClient } from "@ringlight/client";
import { formatBytes, formatDuration } from "@ringlight/core";
import type { WorkerStats } from "@ringlight/proto";
import { withClient } from "../connection.ts";
import { percent, table } from "../format.ts";
import { type CommonOptions, print } from "./output.ts";

const STATS_MS = 3_000;

/** A worker's counters now; undefined when it does not answer. */
async function statsOf(client: RinglightClient, id: string): Promise<WorkerStats | undefined> {
  try {
    for await (const stats of client.stats(id, { signal: AbortSignal.timeout(STATS_MS) })) return stats;
  } catch {
    // It is listed as not answering.
  }
  return undefined;
}

function totals(stats: WorkerStats | undefined) {
  let hits = 0;
  let misses = 0;
  let joined = 0;
  let bytesFromCache = 0;
  for (const { outcome, count, bytes } of stats?.pages ?? []) {
    if (outcome === "hit") {
      hits += count;
      bytesFromCache += bytes;
    } else if (outcome === "miss") misses += count;
    else if (outcome === "joined") joined += count;
  }
  const gets = (stats?.ufs ?? []).filter(({ op }) => op === "get");
  return { hits, misses, joined, bytesFromCache, bytesFromUfs: gets.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/** Gathers what --json prints. */
async function gather(client: RinglightClient) {
  const cluster = await client.cluster();
  const ring = await client.ring();
  const live = new Map(cluster.workers.map((worker) => [worker.id, worker]));
  const ids = [...new Set([...cluster.members, ...cluster.workers].map(({ id }) => id))].sort();
  const workers = await Promise.all(
    ids.map(async (id) => {
      const worker = live.get(id);
      const stats = worker ? await statsOf(client, id) : undefined;
      const share = ring.members.some((member) => member.id === id) ? ring.share(id) : 0;
      return {
        id,
        state: stats ? "up" : worker ? "silent" : "down",
        weight: cluster.members.find((member) => member.id === id)?.weight ?? worker?.weight ?? 0,
        share,
        address: worker?.grpcAddress ?? null,
        startedMs: worker?.startedUnixMs ?? null,
        tiers: (stats?.tiers ?? []).map(({ name, usedBytes, limitBytes, pages }) => ({
          name,
          usedBytes,
          limitBytes,
          pages,
        })),
        ...totals(stats),
      };
    }),
  );
  return {
    cluster: cluster.name,
    epoch: cluster.epoch,
    leader: cluster.leader || null,
    registryConnected: cluster.registryConnected,
    asOfMs: cluster.asOfUnixMs,
    workers,
    answered: workers.filter(({ state }) => state === "up").length,
    total: workers.length,
    mounts: cluster.mounts.map(({ name, uri }) => ({ name, uri })),
    schedulers: cluster.schedulers.map(({ id, address }) => ({ id, address, leading: id === cluster.leader })),
  };
}

type Status = Awaited<ReturnType<typeof gather>>;

function tierText(tiers: Status["workers"][number]["tiers"], name: string): string {
  const tier = tiers.find((candidate) => candidate.name === name);
  return tier ? `${formatBytes(tier.usedBytes)} of ${formatBytes(tier.limitBytes)}` : "–";
}

function render(status: Status, nowMs: number): string {
  const registry = status.registryConnected
    ? "registry answers"
    : `registry away, this is ${formatDuration(Math.max(0, nowMs - status.asOfMs))} old`;
  const workers = table(
    [
      { title: "WORKER" },
      { title: "STATE" },
      { title: "RING", right: true },
      { title: "MEM", right: true },
      { title: "SSD", right: true },
      { title: "HIT RATE", right: true },
      { title: "FROM CACHE", right: true },
      { title: "FROM UFS", right: true },
      { title: "UP FOR", right: true },
    ],
    status.workers.map((worker) => [
      worker.id,
      worker.state,
      percent(worker.share, 1),
      tierText(worker.tiers, "mem"),
      tierText(worker.tiers, "ssd"),
      percent(worker.hits, worker.hits + worker.misses + worker.joined),
      formatBytes(worker.bytesFromCache),
      formatBytes(worker.bytesFromUfs),
      worker.startedMs === null ? "–" : formatDuration(Math.max(0, nowMs - worker.startedMs)),
    ]),
  );
  const schedulers = status.schedulers.map(({ id, leading }) => (leading ? `${id} (leads)` : id)).join(", ");
  return [
    `Cluster ${status.cluster}, epoch ${status.epoch}: ${status.answered} of ${status.total} workers answer, ${registry}.`,
    `Schedulers: ${schedulers || "none is alive"}.`,
    `Mounts: ${status.mounts.map(({ name, uri }) => `/${name} = ${uri}`).join(", ") || "none; ringlight mount add makes one"}.`,
    "",
    workers,
  ].join("\n");
}

/** Runs the command. */
export async function status(options: CommonOptions): Promise<void> {
  await withClient(options, async (client) => {
    const gathered = await gather(client);
    print(options.json, gathered, () => render(gathered, Date.now()));
  });
}
