"use client";
import {
  CopyCommand,
  DataTable,
  EmptyState,
  ErrorState,
  formatAge,
  Icon,
  LoadingState,
  Panel,
  PartialNote,
} from "@ringlight/ui";
import { useMutation } from "@tanstack/react-query";
import Link from "next/link";
import { getJson } from "../../state/fetch-json.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { accessWords, credentialsWords, freshnessWords } from "../../state/mount-words.ts";
import { useUrlState } from "../../state/url-state.ts";
import type { ErrorBody, MountView } from "../../wire.ts";
import { PageHeader } from "../page-header.tsx";
import { MountForm } from "./mount-form.tsx";
import { MountStateBadge } from "./mount-state.tsx";
import { PoliciesPanel } from "./policies-panel.tsx";
import { RemoveMount } from "./remove-mount.tsx";

/** The mounts: what is bound where, and whether the workers reach it. */
export function MountsPage() {
  const { snapshot, error, retry } = useCluster();
  const [adding, setAdding] = useUrlState("add", "", { push: true });
  const [removing, setRemoving] = useUrlState("remove", "", { push: true });
  const recheck = useMutation<unknown, ErrorBody>({ mutationFn: () => getJson("/api/mounts?check=1") });
  const mounts = snapshot?.mounts ?? [];
  const target = mounts.find(({ record }) => record.name === removing);
  const asked = Math.max(0, ...mounts.map((mount) => mount.asked));
  const answered = Math.max(0, ...mounts.map((mount) => mount.checks.length));
  return (
    <>
      <PageHeader title="Mounts">
        <button type="button" className="rl-button rl-button-primary" onClick={() => setAdding("1")}>
          <Icon name="plus" size={15} />
          Add mount
        </button>
      </PageHeader>
      {error ? <ErrorState error={error} onRetry={retry} /> : null}
      {!snapshot && !error ? <LoadingState what="the mounts" /> : null}
      <div className="space-y-4">
        {adding === "1" && snapshot ? <MountForm onDone={() => setAdding("")} /> : null}
        {snapshot ? (
          <Panel
            title="Namespace"
            hint={mounts.length === 1 ? "1 mount" : `${mounts.length} mounts`}
            flush
            actions={
              <>
                {asked > 0 ? <PartialNote answered={answered} asked={asked} /> : null}
                <CheckedAge mounts={mounts} />
                <button
                  type="button"
                  className="rl-button"
                  disabled={recheck.isPending || mounts.length === 0}
                  onClick={() => recheck.mutate()}
                >
                  <Icon name="refresh" size={14} />
                  {recheck.isPending ? "Asking…" : "Check now"}
                </button>
              </>
            }
          >
            {recheck.error ? <ErrorState inset error={recheck.error} onRetry={() => recheck.mutate()} /> : null}
            {mounts.length === 0 ? (
              <EmptyState title="Nothing is mounted yet" command="ringlight mount add /logs s3://bucket/logs">
                A mount binds a name to a store; each is also an S3 bucket of the same name.
              </EmptyState>
            ) : (
              <MountTable mounts={mounts} onRemove={setRemoving} />
            )}
            {mounts.length > 0 ? (
              <div className="px-4 py-2.5">
                <CopyCommand command="ringlight mount ls --check" />
              </div>
            ) : null}
          </Panel>
        ) : null}
        {snapshot ? <PoliciesPanel policies={snapshot.policies} /> : null}
      </div>
      {target ? <RemoveMount mount={target.record} onClose={() => setRemoving("")} /> : null}
    </>
  );
}

function CheckedAge({ mounts }: { mounts: readonly MountView[] }) {
  const { skewMs } = useLive();
  const now = useNow(1000);
  const checked = mounts.find((mount) => mount.checkedMs !== undefined)?.checkedMs;
  if (checked === undefined || now === undefined) return null;
  return (
    <span className="text-xs text-subtle tabular-nums max-sm:hidden">{formatAge(now + skewMs() - checked)} ago</span>
  );
}

function MountTable({ mounts, onRemove }: { mounts: readonly MountView[]; onRemove: (name: string) => void }) {
  return (
    <DataTable
      caption="Mounts"
      rows={mounts}
      rowKey={({ record }) => record.name}
      rowProps={({ record }) => ({ "data-testid": `mount-row-${record.name}` })}
      columns={[
        {
          id: "name",
          title: "Mount",
          cell: ({ record }) => (
            <Link className="rl-link font-medium" href={`/browse/${encodeURIComponent(record.name)}`}>
              /{record.name}
            </Link>
          ),
        },
        {
          id: "state",
          title: "State",
          className: "min-w-48",
          cell: (mount) => <MountStateBadge mount={mount} />,
        },
        {
          id: "uri",
          title: "Store",
          cell: ({ record }) => (
            <div className="min-w-40">
              <div className="font-mono text-xs break-all">{record.uri}</div>
              <div className="text-xs text-subtle">
                {Object.entries(record.options)
                  .map(([name, value]) => `${name} ${value}`)
                  .join(" · ")}
              </div>
            </div>
          ),
        },
        { id: "freshness", title: "Freshness", cell: ({ record }) => freshnessWords(record.freshness) },
        { id: "replicas", title: "Replicas", numeric: true, cell: ({ record }) => record.replicas },
        {
          id: "credentials",
          title: "Credentials",
          cell: ({ record }) => <span className="font-mono text-xs">{credentialsWords(record.credentials)}</span>,
        },
        {
          id: "access",
          title: "Access",
          cell: ({ record }) => accessWords(record),
        },
        {
          id: "remove",
          title: <span className="sr-only">Remove</span>,
          numeric: true,
          cell: ({ record }) => (
            <button
              type="button"
              className="rl-button"
              aria-label={`Remove mount ${record.name}`}
              onClick={() => onRemove(record.name)}
            >
              Remove
            </button>
          ),
        },
      ]}
    />
  );
}
