"use client";
import { parsePath, segmentKey } from "@ringlight/core";
import {
  CopyCommand,
  EmptyState,
  ErrorState,
  formatCount,
  LoadingState,
  Panel,
  Ring,
  type RingMemberView,
  StaleNote,
  workerColours,
} from "@ringlight/ui";
import { useMemo } from "react";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { useRing } from "../../state/ring.ts";
import { useUrlState } from "../../state/url-state.ts";
import { PageHeader } from "../page-header.tsx";
import { EpochList } from "./epoch-list.tsx";
import { type Lookup, LookupBox } from "./lookup-box.tsx";
import { MemberTable } from "./member-table.tsx";

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

/** The ring as it routes at this moment. */
export function RingPage() {
  const { snapshot, error, retry } = useCluster();
  const ring = useRing(snapshot);
  const [selected, select] = useUrlState("worker", "", { push: true });
  const [path, setPath] = useUrlState("path", "");
  const colours = useMemo(() => workerColours(snapshot?.members ?? []), [snapshot?.members]);
  const members = useMemo(
    () =>
      (snapshot?.workers ?? []).map(
        (worker): RingMemberView => ({
          id: worker.id,
          colour: colours.get(worker.id) ?? "var(--rl-subtle)",
          down: worker.state === "down",
          state: worker.state,
        }),
      ),
    [snapshot?.workers, colours],
  );
  const found = useMemo(() => lookUp(path, ring), [path, ring]);
  const stale = useRegistryAge();
  if (!snapshot || !ring) {
    return (
      <>
        <PageHeader title="Ring" />
        {error ? <ErrorState error={error} onRetry={retry} /> : <LoadingState what="the ring" rows={10} />}
      </>
    );
  }
  const down = members.filter((member) => member.down);
  const live = snapshot.workers.filter((worker) => worker.state === "live").length;
  const chosen = snapshot.workers.some((worker) => worker.id === selected) ? selected : undefined;
  return (
    <>
      <PageHeader title="Ring">
        {stale === undefined ? null : <StaleNote ageMs={stale} why="Registry away" />}
      </PageHeader>
      {ring.members.length === 0 ? (
        <EmptyState title="The ring has no members" command="ringlight up">
          The first worker that joins owns the whole ring.
        </EmptyState>
      ) : (
        <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-4 lg:grid-cols-[minmax(0,1.08fr)_minmax(0,1fr)]">
          <Panel
            title="Placement"
            hint={`each of the ${formatCount(ring.arcs)} arcs is one cell, clockwise from the top`}
            actions={null}
          >
            <Ring
              ring={ring}
              members={members}
              selected={chosen}
              onSelect={(id) => select(id ?? "")}
              marker={found ? { arc: found.arc, label: path } : undefined}
            >
              <div className="text-xs text-subtle">epoch</div>
              <div className="text-3xl leading-9 font-semibold tracking-tight tabular-nums" data-testid="ring-epoch">
                {snapshot.epoch}
              </div>
              <div className="mt-1 text-[13px] text-muted tabular-nums">
                {members.length === 1 ? "1 member" : `${members.length} members`}
              </div>
              <div
                className={`text-[13px] font-medium tabular-nums ${down.length > 0 ? "text-bad" : live < members.length ? "text-warn" : "text-ok"}`}
              >
                {down.length > 0 ? `${down.length} down` : live < members.length ? `${live} live` : "all live"}
              </div>
            </Ring>
            <div className="mt-3 flex justify-center">
              <CopyCommand command="ringlight ring" />
            </div>
          </Panel>
          <div className="space-y-4">
            <MemberTable
              snapshot={snapshot}
              ring={ring}
              colours={colours}
              selected={chosen}
              onSelect={(id) => select(id === chosen ? "" : id)}
            />
            <LookupBox path={path} onPath={setPath} found={found} snapshot={snapshot} colours={colours} />
            <EpochList epoch={snapshot.epoch} />
          </div>
        </div>
      )}
    </>
  );
}

/** Age of the registry's view while the registry is away. */
function useRegistryAge(): number | undefined {
  const { snapshot } = useCluster();
  const { skewMs } = useLive();
  const now = useNow(1000);
  if (!snapshot || snapshot.registry.connected || now === undefined || snapshot.registry.asOfMs === 0) return undefined;
  return now + skewMs() - snapshot.registry.asOfMs;
}
