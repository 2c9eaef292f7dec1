/** `ringlight explain`: where a path lives, what of it is cached, and what its next read will meet. */
import type { Explanation } from "@ringlight/client";
import {
  formatBytes,
  formatDuration,
  MISS_REASON_NAMES,
  MISS_REASONS,
  type MissReason,
  parsePath,
  RinglightError,
} from "@ringlight/core";
import { withClient } from "../connection.ts";
import { ago, formatRuns, localTime, percent, table } from "../format.ts";
import { answeredNote, type CommonOptions, print } from "./output.ts";

const ACCESSES = 10;
const SEGMENTS = 8;

function reasonOf(text: string): MissReason | undefined {
  return MISS_REASON_NAMES.find((name) => name === text);
}

/** What the next read of the whole object will meet. */
function nextRead({ owner, cachedBytes }: Explanation, live: ReadonlySet<string>) {
  const sizeBytes = owner.object?.sizeBytes ?? 0;
  if (owner.object && cachedBytes >= sizeBytes) {
    return { outcome: "hit", reason: null, sentence: "Every page is cached: the next read is a hit.", remedy: null };
  }
  const [first] = owner.segments[0]?.owners ?? [];
  // Another worker answered in the owner's place, and knows only why it would miss itself.
  const reason: MissReason =
    first !== undefined && !live.has(first) ? "owner_down" : (reasonOf(owner.missReason) ?? "cold");
  return { outcome: "miss", reason, ...MISS_REASONS[reason] };
}

function shape(explanation: Explanation, live: ReadonlySet<string>) {
  const { owner, responses, cached, cachedBytes, answered, workers } = explanation;
  const accesses = responses
    .flatMap(({ workerId, accesses: list }) => list.map((access) => ({ worker: workerId, ...access })))
    .sort((a, b) => b.atUnixMs - a.atUnixMs)
    .map((access) => ({
      worker: access.worker,
      atMs: access.atUnixMs,
      offset: access.offset,
      length: access.length,
      outcome: access.outcome,
      tier: access.tier,
      missReason: access.missReason,
      durationMs: access.durationMs,
      traceId: access.traceId,
    }));
  return {
    path: owner.path,
    mount: owner.mount?.name ?? null,
    ufsUri: owner.ufsUri,
    object: owner.object
      ? {
          sizeBytes: owner.object.sizeBytes,
          version: owner.object.version,
          etag: owner.object.etag,
          modifiedMs: owner.object.modifiedUnixMs,
        }
      : null,
    epoch: owner.epoch,
    segments: owner.segments,
    pageBytes: owner.pageBytes,
    pageCount: owner.pageCount,
    cached,
    cachedBytes,
    nextRead: nextRead(explanation, live),
    metadataAgeMs: owner.metadataAgeMs,
    accesses,
    answered,
    total: workers,
  };
}

type Shape = ReturnType<typeof shape>;

function renderAccesses(accesses: Shape["accesses"], nowMs: number): string {
  if (accesses.length === 0) return "Last accesses: none that a worker remembers.";
  const rows = accesses
    .slice(0, ACCESSES)
    .map((access) => [
      ago(access.atMs, nowMs),
      access.worker,
      `${formatBytes(access.length)} at ${access.offset}`,
      access.outcome === "miss"
        ? `miss (${access.missReason || "?"})`
        : `${access.outcome}${access.tier ? ` (${access.tier})` : ""}`,
      formatDuration(access.durationMs),
    ]);
  const columns = ["WHEN", "WORKER", "RANGE", "OUTCOME", "TOOK"].map((title) => ({ title }));
  return `Last accesses:\n${table(columns, rows)}`;
}

function render(explained: Shape, nowMs: number): string {
  const { object, segments, cached, cachedBytes, nextRead: next } = explained;
  const lines = [`Path      ${explained.path}`, `Mount     /${explained.mount}`, `UFS       ${explained.ufsUri}`];
  if (object === null) {
    lines.push("Object    the store has no such object");
  } else {
    lines.push(
      `Object    ${object.sizeBytes} bytes (${formatBytes(object.sizeBytes)}), modified ${localTime(object.modifiedMs)}`,
      `Version   ${object.version}${explained.metadataAgeMs >= 0 ? `, known for ${formatDuration(explained.metadataAgeMs)}` : ""}`,
    );
  }
  for (const { segment, arc, owners } of segments.slice(0, SEGMENTS)) {
    const others = owners.length > 1 ? `, then ${owners.slice(1).join(", ")}` : "";
    lines.push(
      `Owner     segment ${segment}: ${owners[0] ?? "nobody"}${others} (arc ${arc}, epoch ${explained.epoch})`,
    );
  }
  if (segments.length > SEGMENTS) lines.push(`          and ${segments.length - SEGMENTS} more segments`);
  if (object !== null) {
    const pages = `pages ${formatRuns(cached)} of ${explained.pageCount}`;
    lines.push(`Cached    ${formatBytes(cachedBytes)} (${percent(cachedBytes, object.sizeBytes)}): ${pages}`);
    lines.push(
      next.outcome === "hit"
        ? `Next read ${next.sentence}`
        : `Next read will miss (${next.reason}) where it is not cached. ${next.sentence}`,
      ...(next.remedy ? [`Remedy    ${next.remedy}`] : []),
    );
  }
  return [...lines, "", renderAccesses(explained.accesses, nowMs)].join("\n");
}

/** Runs the command. @throws RL_NOT_FOUND after printing, when the store has no such object */
export async function explain(path: string, options: CommonOptions): Promise<void> {
  if (parsePath(path).key === "") {
    throw new RinglightError("RL_BAD_REQUEST", `${path} is a mount; explain takes the path of an object, /mount/key`);
  }
  await withClient(options, async (client) => {
    const explanation = await client.explain(path);
    const live = new Set((await client.cluster()).workers.map(({ id }) => id));
    const explained = shape(explanation, live);
    print(options.json, explained, () => render(explained, Date.now()));
    if (!options.json) answeredNote({ answered: explained.answered, workers: explained.total });
    if (explained.object === null) throw new RinglightError("RL_NOT_FOUND", `the store has no object for ${path}`);
  });
}
