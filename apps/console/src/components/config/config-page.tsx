"use client";
import {
  Badge,
  CopyCommand,
  DataAge,
  DataTable,
  EmptyState,
  ErrorState,
  formatPlural,
  formatSize,
  Icon,
  LoadingState,
  Menu,
  NOTHING,
  Panel,
  PartialNote,
} from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import Link from "next/link";
import { useMemo } from "react";
import { type ConfigRow, configRows } from "../../state/config-diff.ts";
import { getJson } from "../../state/fetch-json.ts";
import { useLive, useNow } from "../../state/live.tsx";
import { shellWord } from "../../state/shell-word.ts";
import { useUrlState } from "../../state/url-state.ts";
import type { ConfigAnswer, ErrorBody } from "../../wire.ts";
import { saveFile } from "../chart-export.ts";
import { PageHeader } from "../page-header.tsx";

const ORDER = ["worker", "scheduler", "console"];
const REFRESH_MS = 15_000;
/** Until settings that could not be read are asked for again. */
const RECOVER_MS = 3_000;
/** Ids that are named in a cell before the rest is a number. */
const NAMED = 3;

/** Every setting of every process: its value, where it comes from, its default, and where processes differ. */
export function ConfigPage() {
  const [find, setFind] = useUrlState("find", "");
  const [only, setOnly] = useUrlState("only", "");
  const [process, setProcess] = useUrlState("process", "");
  const { paused } = useLive();
  const now = useNow(1000);
  const query = useQuery<ConfigAnswer, ErrorBody>({
    queryKey: ["config"],
    queryFn: ({ signal }) => getJson("/api/config", signal),
    refetchInterval: ({ state }) => (paused ? false : state.status === "error" ? RECOVER_MS : REFRESH_MS),
  });
  const all = query.data?.processes ?? [];
  const chosen = process === "" ? all : all.filter((one) => one.id === process || one.process === process);
  const rows = useMemo(() => configRows(chosen), [chosen]);
  const words = find.trim().toLowerCase();
  const shown = rows.filter(
    (row) =>
      (only !== "changed" || row.changed) &&
      (only !== "differs" || row.differs) &&
      (words === "" ||
        row.key.toLowerCase().includes(words) ||
        row.about.toLowerCase().includes(words) ||
        row.values.some(({ value }) => value.toLowerCase().includes(words))),
  );
  const kinds = [...new Set(shown.map((row) => row.process))].sort((a, b) => ORDER.indexOf(a) - ORDER.indexOf(b));
  const silent = chosen.filter((one) => one.error !== undefined);
  const differing = rows.filter((row) => row.differs).length;
  return (
    <>
      <PageHeader title="Config">
        {query.data ? <PartialNote answered={query.data.answered} asked={query.data.asked} what="processes" /> : null}
        <DataAge
          ageMs={now === undefined || query.dataUpdatedAt === 0 ? undefined : now - query.dataUpdatedAt}
          staleAfterMs={40_000}
        />
        <Menu
          label="Save"
          icon={<Icon name="download" size={15} />}
          items={[
            {
              label: "Save as JSON",
              onSelect: () =>
                saveFile("ringlight-config.json", `${JSON.stringify(all, undefined, 2)}\n`, "application/json"),
            },
            {
              label: "Copy link to this view",
              onSelect: () => void navigator.clipboard?.writeText(window.location.href),
            },
          ]}
        />
      </PageHeader>
      <search aria-label="Filter the settings" className="mb-4 flex flex-wrap items-center gap-3">
        <label className="relative block min-w-56 flex-1">
          <span className="sr-only">Find a setting</span>
          <Icon name="search" size={14} className="pointer-events-none absolute top-2 left-2.5 text-subtle" />
          <input
            className="rl-input pl-8!"
            data-search=""
            value={find}
            placeholder="a key, a value, words of its description"
            spellCheck={false}
            onChange={(event) => setFind(event.target.value)}
          />
        </label>
        <label className="flex items-center gap-2 text-xs text-muted">
          Process
          <select
            className="rl-input w-44! text-xs!"
            value={process}
            onChange={(event) => setProcess(event.target.value)}
          >
            <option value="">all</option>
            {process !== "" && !all.some((one) => one.id === process || one.process === process) ? (
              <option value={process}>{process}</option>
            ) : null}
            <option value="worker">all workers</option>
            {all.map((one) => (
              <option key={`${one.process} ${one.id}`} value={one.id}>
                {one.id}
              </option>
            ))}
          </select>
        </label>
        <fieldset className="flex gap-3 text-xs text-muted">
          <legend className="sr-only">Which settings</legend>
          {(
            [
              ["", "All"],
              ["changed", "Not the default"],
              ["differs", `Different between processes${differing > 0 ? ` (${differing})` : ""}`],
            ] as const
          ).map(([value, label]) => (
            <label key={value} className="flex items-center gap-1.5">
              <input
                type="radio"
                name="only"
                className="accent-(--rl-accent)"
                checked={only === value}
                onChange={() => setOnly(value)}
              />
              {label}
            </label>
          ))}
        </fieldset>
      </search>
      {query.error && !query.data ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : !query.data ? (
        <LoadingState what="the settings" rows={12} />
      ) : (
        <div className="space-y-4">
          {silent.length > 0 ? (
            <ul className="space-y-2">
              {silent.slice(0, 5).map((one) => (
                <li key={one.id}>
                  <ErrorState
                    error={{
                      code: one.error?.code ?? "",
                      message: `${one.id} did not tell its settings: ${one.error?.message ?? ""}`,
                      remedy: one.error?.remedy ?? "",
                    }}
                    onRetry={() => void query.refetch()}
                  />
                </li>
              ))}
            </ul>
          ) : null}
          {shown.length === 0 ? (
            <EmptyState
              title={
                only === "differs" && words === ""
                  ? "No setting differs between processes of one kind"
                  : "No setting has all that was asked for"
              }
              command="ringlight config show"
            >
              {only === "differs" && words === ""
                ? "Ports, directories and ids, which must differ, are not counted."
                : "Take a condition away to see more."}
            </EmptyState>
          ) : null}
          {kinds.map((kind) => (
            <SettingTable
              key={kind}
              kind={kind}
              ids={chosen.filter((one) => one.process === kind && one.error === undefined).map((one) => one.id)}
              rows={shown.filter((row) => row.process === kind)}
            />
          ))}
        </div>
      )}
    </>
  );
}

function SettingTable({ kind, ids, rows }: { kind: string; ids: readonly string[]; rows: readonly ConfigRow[] }) {
  const title = kind === "worker" ? "Workers" : kind === "scheduler" ? "Schedulers" : "Console";
  return (
    <Panel title={title} hint={ids.length === 1 ? ids[0] : formatPlural(ids.length, "process", "processes")} flush>
      <DataTable
        caption={`Settings of ${title.toLowerCase()}`}
        rows={rows}
        rowKey={(row) => row.key}
        rowProps={(row) => ({ "data-testid": `setting-${row.key}`, "data-differs": String(row.differs) })}
        columns={[
          {
            id: "key",
            title: "Setting",
            cell: (row) => (
              <div className="max-w-md min-w-40">
                <div className="flex items-center gap-2">
                  <code className="font-mono text-xs font-medium">{row.key}</code>
                  {row.differs ? <Badge tone="warn">differs</Badge> : null}
                </div>
                <div className="text-xs text-subtle">{row.about}</div>
              </div>
            ),
          },
          {
            id: "value",
            title: "Value, and where it comes from",
            // One line for each value, with what belongs to it: columns of lists part where a value takes two lines.
            cell: (row) => (
              <ul className="min-w-52 space-y-0.5 text-xs">
                {row.values.slice(0, 6).map(({ value, origins, ids: having }) => (
                  <li key={value} className="flex flex-wrap items-baseline gap-x-3">
                    <span className="font-mono [overflow-wrap:anywhere]">
                      {value === "" ? NOTHING : value}
                      {isSize(row, value) ? <span className="text-muted"> ({formatSize(Number(value))})</span> : null}
                    </span>
                    <span className={origins.every((origin) => origin === "default") ? "text-subtle" : "text-muted"}>
                      {origins.join(", ")}
                    </span>
                    {row.values.length > 1 ? <Having ids={having} link={kind === "worker"} /> : null}
                  </li>
                ))}
                {row.values.length > 6 ? (
                  <li className="text-subtle">and {row.values.length - 6} other values</li>
                ) : null}
              </ul>
            ),
          },
          {
            id: "default",
            title: "Default",
            cell: (row) => (
              <div className="min-w-24 font-mono text-xs [overflow-wrap:anywhere] text-muted">{row.defaultValue}</div>
            ),
          },
        ]}
      />
      <div className="px-4 py-2.5">
        <CopyCommand command={`ringlight config show${ids.length === 1 ? ` ${shellWord(ids[0] ?? "")}` : ""}`} />
      </div>
    </Panel>
  );
}

/** Whether a bare number counts bytes: its default is written with their unit. */
const isSize = ({ defaultValue }: ConfigRow, value: string) =>
  /^\d{4,}$/.test(value) && /^\d+(\.\d+)?[KMGT]iB$/.test(defaultValue);

function Having({ ids, link }: { ids: readonly string[]; link: boolean }) {
  return (
    <span className="text-xs text-subtle">
      {ids.slice(0, NAMED).map((id, index) => (
        <span key={id}>
          {index > 0 ? ", " : ""}
          {link ? (
            <Link className="rl-link text-subtle" href={`/workers/${encodeURIComponent(id)}`}>
              {id}
            </Link>
          ) : (
            id
          )}
        </span>
      ))}
      {ids.length > NAMED ? ` and ${ids.length - NAMED} more` : ""}
    </span>
  );
}
