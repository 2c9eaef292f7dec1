"use client";
import { parsePath, segmentKey } from "@ringlight/core";
import { type RingDiff, type Ring as RingTable, whatIf } from "@ringlight/ring";
import {
  CopyCommand,
  EmptyState,
  ErrorState,
  formatAge,
  formatByteRate,
  formatCount,
  formatPercent,
  formatPlural,
  formatSize,
  LoadingState,
  Panel,
  Ring,
  type RingFlow,
  type RingMemberView,
  StaleNote,
  workerColours,
} from "@ringlight/ui";
import Link from "next/link";
import { useMemo } from "react";
import { hitRate } from "../../columns.ts";
import { useEpochs } from "../../state/epochs.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { makingsKey, makingsOf, useRing } from "../../state/ring.ts";
import { useHandOver, usePastRing } from "../../state/ring-history.ts";
import { SMALL_RING, useRingWork } from "../../state/ring-work.ts";
import { useUrlState } from "../../state/url-state.ts";
import { type Holding, newIds, parseWish, type RingWish, wishCost, writeWish } from "../../state/what-if.ts";
import { useWorkerNumbers } from "../../state/worker-numbers.ts";
import type { HandOverView } from "../../wire.ts";
import { PageHeader } from "../page-header.tsx";
import { EpochList } from "./epoch-list.tsx";
import { EpochScrubber } from "./epoch-scrubber.tsx";
import { type Lookup, LookupBox } from "./lookup-box.tsx";
import { MemberTable } from "./member-table.tsx";
import { WhatIfPanel } from "./what-if-panel.tsx";

/** Where a path's first segment lives; undefined for what is no path. */
function lookUp(path: string, ring: ReturnType<typeof useRing>): Lookup | undefined {
  if (!ring || ring.members.length === 0 || path === "") return undefined;
  try {
    const { mount, key } = parsePath(path);
    const name = segmentKey(mount, key, 0);
    return { arc: ring.arcOf(name), owners: ring.owners(name) };
  } catch {
    return undefined;
  }
}

/** Arcs that go from member to member, as shares of the ring. */
function flowsOf(change: RingDiff | undefined): RingFlow[] {
  if (!change) return [];
  return change.moves.flatMap(({ from, to, arcs }) =>
    from === undefined || to === undefined ? [] : [{ from, to, share: arcs / change.arcs }],
  );
}

/** The ring that a wish would make, with what it moves and costs; undefined for none, or where nobody would be left. */
function useWhatIf(wish: RingWish, ring: RingTable | undefined) {
  const key = writeWish(wish);
  const wished = useMemo(() => {
    if (!ring || key === "") return undefined;
    const { add, addWeight, remove, weights } = parseWish(key);
    const known = new Set(ring.members.map((member) => member.id));
    const gone = remove.filter((id) => known.has(id));
    const added = newIds(add, known).map((id) => ({ id, weight: addWeight }));
    if (gone.length === known.size && added.length === 0) return undefined;
    const reweigh = Object.entries(weights).flatMap(([id, weight]) =>
      known.has(id) && !gone.includes(id) ? [{ id, weight }] : [],
    );
    return { change: { add: added, remove: gone, reweigh }, added, gone: new Set(gone) };
  }, [ring, key]);
  const large = (ring?.members.length ?? 0) > SMALL_RING;
  const workKey = useMemo(() => (ring && large ? `${key} ${makingsKey(ring)}` : ""), [ring, large, key]);
  const made = useRingWork(
    ring && wished && large ? { kind: "change", of: makingsOf(ring), change: wished.change } : undefined,
    workKey,
  );
  const tried = useMemo(() => {
    if (!ring || !wished) return undefined;
    if (!large) return { ...wished, ...whatIf(ring, wished.change) };
    return made?.diff && made.key === workKey ? { ...wished, ring: made.ring, diff: made.diff } : undefined;
  }, [ring, wished, large, made, workKey]);
  const numbers = useWorkerNumbers(tried !== undefined);
  const cost = useMemo(() => {
    if (!tried) return undefined;
    const holdings = new Map<string, Holding>();
    const rates: Record<string, number> = {};
    for (const id of numbers?.ids ?? []) {
      const { tiers, rates: own } = numbers!.get(id)!;
      for (const name in own) rates[name] = (rates[name] ?? 0) + own[name]!;
      const sum = (field: "usedBytes" | "pages" | "limitBytes") =>
        tiers.reduce((total, tier) => total + tier[field], 0);
      holdings.set(id, { bytes: sum("usedBytes"), pages: sum("pages"), limitBytes: sum("limitBytes") });
    }
    const limits = [...holdings.values()].map(({ limitBytes }) => limitBytes);
    // New workers are taken to be as large as the mean of those that are there.
    const mean = limits.length > 0 ? limits.reduce((sum, limit) => sum + limit, 0) / limits.length : 0;
    return wishCost(tried.diff, holdings, tried.gone, mean * tried.added.length, hitRate(rates));
  }, [tried, numbers]);
  return { tried, cost };
}

/** The ring: as it routes at this moment, as it was at an epoch, or as a change would make it. */
export function RingPage() {
  const { snapshot, error, retry } = useCluster();
  const ring = useRing(snapshot);
  const [selected, select] = useUrlState("worker", "", { push: true });
  const [path, setPath] = useUrlState("path", "");
  const [epochText, setEpoch] = useUrlState("epoch", "");
  const [wishText, setWish] = useUrlState("whatif", "");
  const epochs = useEpochs(snapshot?.epoch ?? 0).data?.epochs;
  const past = usePastRing(epochs, epochText === "" ? undefined : Number(epochText));
  const wish = useMemo(() => parseWish(wishText), [wishText]);
  const { tried, cost } = useWhatIf(wish, past ? undefined : ring);
  const handOver = useHandOver().data ?? undefined;
  const source = usePastRing(epochs, handOver?.toEpoch);
  const shown = past?.ring ?? tried?.ring ?? ring;
  const compared = past?.before ?? (tried ? ring : undefined);
  const flows = useMemo(
    () => flowsOf(past ? past.change : tried ? tried.diff : handOver ? source?.change : undefined),
    [past, tried, handOver, source],
  );
  // Members of the past and of the future take the colours that follow those of the present.
  const colours = useMemo(() => {
    const present = snapshot?.members ?? [];
    const known = new Set(present.map((member) => member.id));
    const others = [...(past?.ring.members ?? []), ...(past?.before?.members ?? []), ...(tried?.added ?? [])].filter(
      ({ id }) => !known.has(id),
    );
    return workerColours([
      ...present,
      ...[...new Set(others.map(({ id }) => id))].map((id) => ({ id, joinedMs: Number.MAX_SAFE_INTEGER })),
    ]);
  }, [snapshot?.members, past, tried]);
  const members = useMemo(() => {
    const states = new Map((snapshot?.workers ?? []).map((worker) => [worker.id, worker.state]));
    const ids = new Set([...(shown?.members ?? []), ...(compared?.members ?? [])].map((member) => member.id));
    return [...ids].map((id): RingMemberView => {
      const state = states.get(id);
      return {
        id,
        colour: colours.get(id) ?? "var(--rl-subtle)",
        down: state === "down" && !past,
        state: state ?? (past ? "not a member any more" : "not a member yet"),
      };
    });
  }, [snapshot?.workers, colours, shown, compared, past]);
  const found = useMemo(() => lookUp(path, shown), [path, shown]);
  if (!snapshot || !ring || !shown) {
    return (
      <>
        <PageHeader title="Ring" />
        {error ? <ErrorState error={error} onRetry={retry} /> : <LoadingState what="the ring" rows={10} />}
      </>
    );
  }
  const down = past ? [] : members.filter((member) => member.down);
  const live = snapshot.workers.filter((worker) => worker.state === "live").length;
  const chosen = shown.members.some((member) => member.id === selected) ? selected : undefined;
  const trying = tried !== undefined && !past;
  return (
    <>
      <PageHeader title="Ring">
        <RegistryAge />
      </PageHeader>
      {ring.members.length === 0 ? (
        <EmptyState title="The ring has no members" command="ringlight up">
          The first worker that joins owns the whole ring.
        </EmptyState>
      ) : (
        <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-[minmax(0,1.08fr)_minmax(0,1fr)]">
          <div className="space-y-4 lg:sticky lg:top-4">
            <Panel
              title={
                past ? `Placement at epoch ${past.record.epoch}` : trying ? "Placement as it would be" : "Placement"
              }
              hint={
                compared
                  ? "arcs that change their first owner stand out"
                  : `each of the ${formatCount(shown.arcs)} arcs is one cell, clockwise from the top`
              }
            >
              <Ring
                ring={shown}
                before={compared}
                flows={flows}
                members={members}
                selected={chosen}
                onSelect={(id) => select(id ?? "")}
                marker={found ? { arc: found.arc, label: path } : undefined}
              >
                <div className="text-xs text-subtle">{trying ? "what if" : "epoch"}</div>
                <div className="text-3xl leading-9 font-semibold tracking-tight tabular-nums" data-testid="ring-epoch">
                  {trying ? formatPercent(tried.diff.movedShare) : (past?.record.epoch ?? snapshot.epoch)}
                </div>
                <div className="mt-1 text-[13px] text-muted tabular-nums">
                  {trying ? "of the arcs move" : formatPlural(shown.members.length, "member")}
                </div>
                {past || trying ? (
                  <div className="text-[13px] font-medium text-muted tabular-nums">
                    {past ? "the past" : formatPlural(shown.members.length, "member")}
                  </div>
                ) : (
                  <div
                    className={`text-[13px] font-medium tabular-nums ${down.length > 0 ? "text-bad" : live < members.length ? "text-warn" : "text-ok"}`}
                  >
                    {down.length > 0 ? `${down.length} down` : live < members.length ? `${live} live` : "all live"}
                  </div>
                )}
              </Ring>
              {handOver && !past && !trying ? <HandOver handOver={handOver} /> : null}
              <div className="mt-3 flex justify-center">
                <CopyCommand command="ringlight ring" />
              </div>
            </Panel>
            {epochs && epochs.length > 0 ? (
              <EpochScrubber
                epochs={epochs}
                shown={past?.record.epoch}
                past={past}
                onShow={(epoch) => setEpoch(epoch === undefined ? "" : String(epoch))}
              />
            ) : null}
          </div>
          <div className="space-y-4">
            <MemberTable
              snapshot={snapshot}
              ring={ring}
              colours={colours}
              selected={chosen}
              onSelect={(id) => select(id === chosen ? "" : id)}
            />
            <LookupBox path={path} onPath={setPath} found={found} snapshot={snapshot} colours={colours} />
            <WhatIfPanel
              snapshot={snapshot}
              ring={ring}
              next={trying ? tried.ring : undefined}
              change={trying ? tried.diff : undefined}
              cost={cost}
              wish={wish}
              onWish={(next) => {
                if (past) setEpoch("");
                setWish(writeWish(next));
              }}
              colours={colours}
            />
            <EpochList
              epoch={snapshot.epoch}
              shown={past?.record.epoch}
              onShow={(epoch) => setEpoch(epoch === snapshot.epoch ? "" : String(epoch))}
            />
          </div>
        </div>
      )}
    </>
  );
}

/** The hand-over that runs, in words; the ribbons on the ring are the same. */
function HandOver({ handOver }: { handOver: HandOverView }) {
  const share = handOver.listedBytes > 0 ? Math.min(1, handOver.doneBytes / handOver.listedBytes) : 0;
  return (
    <div className="mt-3 rounded-md border border-line bg-raised px-3 py-2 text-[13px]" data-testid="hand-over">
      <div className="flex flex-wrap justify-between gap-x-4 tabular-nums">
        <span className="font-medium">
          Handing over{" "}
          <Link className="rl-link" href={`/jobs/${encodeURIComponent(handOver.jobId)}`}>
            to the owners of epoch {handOver.toEpoch}
          </Link>
        </span>
        <span className="text-muted">
          {formatSize(handOver.doneBytes)} of {formatSize(handOver.listedBytes)} ·{" "}
          {formatByteRate(handOver.bytesPerSecond)}
          {handOver.remainingMs >= 0 ? ` · ${formatAge(handOver.remainingMs)} left` : ""}
        </span>
      </div>
      <div
        role="progressbar"
        aria-label="Hand-over"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.round(share * 100)}
        className="mt-1.5 h-1.5 overflow-hidden rounded-full bg-line"
      >
        <div className="h-full rounded-full bg-accent" style={{ width: `${share * 100}%` }} />
      </div>
    </div>
  );
}

/** Age of the registry's view while the registry is away. Its clock draws nothing but itself. */
function RegistryAge() {
  const { snapshot } = useCluster();
  const { skewMs } = useLive();
  const now = useNow(1000);
  if (!snapshot || snapshot.registry.connected || now === undefined || snapshot.registry.asOfMs === 0) return null;
  return <StaleNote ageMs={now + skewMs() - snapshot.registry.asOfMs} why="Registry away" />;
}
