/** `ringlight explain`: where a path lives, what of it is cached, and what its next read will meet. */
import type { Explanation, RinglightClient } from "@ringlight/client";
import {
  EVICTED_BY_RULE,
  formatBytes,
  formatDuration,
  MISS_REASON_NAMES,
  MISS_REASONS,
  type MissReason,
  parsePath,
  RinglightError,
  segmentKey,
} from "@ringlight/core";
import { type AccessRecord, SchedulerServiceClient } from "@ringlight/proto";
import { buildRing } from "@ringlight/ring";
import { callUnary, connectGrpc } from "@ringlight/rpc";
import { findTarget, withClient } from "../connection.ts";
import { ago, formatRuns, localTime, percent, table } from "../format.ts";
import { answeredNote, type CommonOptions, print } from "./output.ts";

const ACCESSES = 10;
const SEGMENTS = 8;
const OWNERS = 3;

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
  const { evictedBy } = owner;
  const known = { outcome: "miss", reason, ...MISS_REASONS[reason], evictedBy: evictedBy || null };
  if (reason !== "evicted" || (evictedBy !== "ttl" && evictedBy !== "quota")) return known;
  return { ...known, ...EVICTED_BY_RULE[evictedBy] };
}

function accessShape(worker: string, access: AccessRecord) {
  const { atUnixMs, offset, length, outcome, tier, missReason, durationMs, traceId } = access;
  return { worker, atMs: atUnixMs, offset, length, outcome, tier, missReason, durationMs, traceId };
}

function shape(explanation: Explanation, live: ReadonlySet<string>) {
  const { owner, responses, cached, cachedBytes, answered, workers } = explanation;
  const accesses = responses
    .flatMap(({ workerId, accesses: list }) => list.map((access) => accessShape(workerId, access)))
    .sort((a, b) => b.atMs - a.atMs);
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
    policy: owner.policy ?? null,
    metadataAgeMs: owner.metadataAgeMs,
    accesses,
    answered,
    total: workers,
  };
}

type Shape = ReturnType<typeof shape> & {
  readonly read: ReturnType<typeof accessShape> | null;
  readonly epochs: Awaited<ReturnType<typeof ownersByEpoch>>;
};

function outcomeText({ outcome, tier, missReason }: Shape["accesses"][number]): string {
  return outcome === "miss" ? `miss (${missReason || "?"})` : `${outcome}${tier ? ` (${tier})` : ""}`;
}

/** The read that an id led to. */
function renderRead(read: NonNullable<Shape["read"]>, nowMs: number): string[] {
  const reason = read.outcome === "miss" ? reasonOf(read.missReason) : undefined;
  const range = `${formatBytes(read.length)} at ${read.offset}`;
  return [
    `Read      ${outcomeText(read)}: ${range} in ${formatDuration(read.durationMs)} by ${read.worker}, ${ago(read.atMs, nowMs)}`,
    `Trace     ${read.traceId}`,
    ...(reason ? [`Reason    ${MISS_REASONS[reason].sentence}`, `Remedy    ${MISS_REASONS[reason].remedy}`] : []),
    "",
  ];
}

function renderAccesses(accesses: Shape["accesses"], nowMs: number): string {
  if (accesses.length === 0) return "Last accesses: none that a worker remembers.";
  const rows = accesses
    .slice(0, ACCESSES)
    .map((access) => [
      ago(access.atMs, nowMs),
      access.worker,
      `${formatBytes(access.length)} at ${access.offset}`,
      outcomeText(access),
      formatDuration(access.durationMs),
      access.traceId,
    ]);
  const columns = ["WHEN", "WORKER", "RANGE", "OUTCOME", "TOOK", "TRACE"].map((title) => ({ title }));
  return `Last accesses:\n${table(columns, rows)}`;
}

/** Each rule that matches, what it says, and what that comes to. */
function renderRules(effects: NonNullable<Shape["policy"]>["effects"]): string[] {
  return effects.map(({ rule, path, field, value, sentence }) => `${rule} (${path}): ${field} ${value}. ${sentence}`);
}

function render(explained: Shape, nowMs: number): string {
  const { object, segments, cached, cachedBytes, nextRead: next } = explained;
  const lines = [
    ...(explained.read ? renderRead(explained.read, nowMs) : []),
    `Path      ${explained.path}`,
    `Mount     /${explained.mount}`,
    `UFS       ${explained.ufsUri}`,
  ];
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
  for (const { epoch, owners, cause } of explained.epochs.filter(({ epoch }) => epoch !== explained.epoch)) {
    lines.push(`          ${owners.join(", ") || "nobody"} in epoch ${epoch}${cause === "" ? "" : ` (${cause})`}`);
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
  for (const [index, line] of renderRules(explained.policy?.effects ?? []).entries()) {
    lines.push(`${index === 0 ? "Rules     " : "          "}${line}`);
  }
  return [...lines, "", renderAccesses(explained.accesses, nowMs)].join("\n");
}

/** Epochs of which the owners are told, and how long a scheduler is waited for: without it they are left out. */
const EPOCHS = 8;
const EPOCHS_MS = 2_000;

/** The owners of the path's first segment in the last epochs of the ring, by the code that routes; none where no scheduler answers. */
async function ownersByEpoch(client: RinglightClient, path: string, options: CommonOptions) {
  const { schedulers, leader } = await client.cluster();
  const scheduler = schedulers.find(({ id }) => id === leader) ?? schedulers[0];
  if (scheduler === undefined) return [];
  const history = connectGrpc(SchedulerServiceClient, scheduler.address, { token: findTarget(options).token });
  try {
    const { epochs } = await callUnary(history, "listEpochs", { limit: EPOCHS }, { deadlineMs: EPOCHS_MS });
    const { mount, key } = parsePath(path);
    const place = segmentKey(mount, key, 0);
    return epochs.map(({ epoch, members, atUnixMs, cause }) => ({
      epoch,
      atMs: atUnixMs,
      cause,
      owners:
        members.length === 0
          ? []
          : buildRing(
              members.map(({ id, weight, joinedUnixMs }) => ({ id, weight, joinedMs: joinedUnixMs })),
              { epoch },
            ).owners(place, OWNERS),
    }));
  } catch {
    return [];
  } finally {
    history.close();
  }
}

/** A trace id, or its first half, which S3 answers carry as x-amz-request-id. */
const ID = /^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i;

/** Runs the command. @throws RL_NOT_FOUND after printing, when the store has no such object */
export async function explain(what: string, options: CommonOptions): Promise<void> {
  const isId = ID.test(what);
  if (!isId && parsePath(what).key === "") {
    throw new RinglightError("RL_BAD_REQUEST", `${what} is a mount; explain takes the path of an object, /mount/key`);
  }
  await withClient(options, async (client) => {
    const found = isId ? await client.findRead(what) : undefined;
    if (isId && found === undefined) {
      throw new RinglightError(
        "RL_NOT_FOUND",
        `no worker remembers the read ${what}; the console's Explain page looks through the stored traces, too`,
      );
    }
    const path = found?.path ?? what;
    const explanation = await client.explain(path);
    const live = new Set((await client.cluster()).workers.map(({ id }) => id));
    const read = found?.access === undefined ? null : accessShape(found.workerId, found.access);
    const epochs = await ownersByEpoch(client, path, options);
    const explained = { ...shape(explanation, live), read, epochs };
    print(options.json, explained, () => render(explained, Date.now()));
    if (!options.json) answeredNote({ answered: explained.answered, workers: explained.total });
    if (explained.object === null) throw new RinglightError("RL_NOT_FOUND", `the store has no object for ${path}`);
  });
}
