"use client";
import type { StoredLog } from "@ringlight/trace-store";
import {
  CopyCommand,
  DataAge,
  describeRange,
  EmptyState,
  ErrorState,
  formatCount,
  Icon,
  LoadingState,
  Menu,
  Panel,
} from "@ringlight/ui";
import { useSearchParams } from "next/navigation";
import { useCallback, useDeferredValue, useMemo, useState } from "react";
import { commandLine } from "../../state/command-line.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { type LogForm, logQuery, olderLogs, TAIL_LINES, useLogs, useLogTail } from "../../state/logs.ts";
import { useRange } from "../../state/time-range.ts";
import { useUrlState } from "../../state/url-state.ts";
import type { ErrorBody } from "../../wire.ts";
import { saveFile } from "../chart-export.ts";
import { PageHeader } from "../page-header.tsx";
import { RangePicker } from "../time-picker.tsx";
import { LogList } from "./log-list.tsx";

const FIELDS = ["text", "level", "service", "instance", "trace"] as const;
const RANGE = { from: "now-15m", to: "now" };

function useLogForm(): [LogForm, (field: keyof LogForm, value: string) => void] {
  const parameters = useSearchParams();
  const form = Object.fromEntries(FIELDS.map((field) => [field, parameters.get(field) ?? ""]));
  const set = useCallback((field: keyof LogForm, value: string) => {
    const url = new URL(window.location.href);
    if (value === "") url.searchParams.delete(field);
    else url.searchParams.set(field, value);
    window.history.replaceState(null, "", url);
  }, []);
  return [form as unknown as LogForm, set];
}

/** Lines come in the order in which their senders sent them; processes that send late would stand in another's time. */
function newestFirst(lines: readonly StoredLog[]): readonly StoredLog[] {
  return [...lines].sort((a, b) => b.atMs - a.atMs || b.id - a.id);
}

/** What the processes write: followed as it comes, or searched. */
export function LogsPage() {
  const [form, setField] = useLogForm();
  const typed = useDeferredValue(form);
  const [range] = useRange(RANGE);
  const [tail, setTail] = useUrlState("tail", "");
  const live = tail === "on";
  const search = useLogs(typed, range, !live);
  const followed = useLogTail(typed, live);
  const { paused } = useLive();
  const { snapshot } = useCluster();
  const now = useNow(1000);
  const [older, setOlder] = useState<{ key: string; lines: readonly StoredLog[]; more: boolean }>();
  const [olderError, setOlderError] = useState<ErrorBody | undefined>();
  const key = JSON.stringify([typed, range, search.dataUpdatedAt]);
  const extra = older?.key === key ? older : undefined;
  const lines = useMemo(
    () => newestFirst(live ? followed.lines : [...(search.data?.logs ?? []), ...(extra?.lines ?? [])]),
    [live, followed.lines, search.data, extra],
  );
  const more = !live && (extra ? extra.more : (search.data?.more ?? false));
  const filtered = FIELDS.some((field) => form[field] !== "");
  const loadOlder = async () => {
    if (lines.length === 0) return;
    const lastId = lines.reduce((least, { id }) => Math.min(least, id), Number.POSITIVE_INFINITY);
    setOlderError(undefined);
    try {
      const page = await olderLogs(typed, range, lastId);
      setOlder({ key, lines: [...(extra?.lines ?? []), ...page.logs], more: page.more });
    } catch (error) {
      setOlderError(error as ErrorBody);
    }
  };
  const input = (
    field: keyof LogForm,
    label: string,
    width: string,
    placeholder: string,
    options: readonly string[] = [],
  ) => (
    <label className={`block ${width}`}>
      <span className="mb-0.5 block text-[11px] font-medium text-subtle">{label}</span>
      <input
        className="rl-input h-7! text-xs!"
        value={form[field]}
        placeholder={placeholder}
        spellCheck={false}
        autoComplete="off"
        list={options.length > 0 ? `log-${field}` : undefined}
        {...(field === "text" ? { "data-search": "" } : {})}
        onChange={(event) => setField(field, event.target.value)}
      />
      {options.length > 0 ? (
        <datalist id={`log-${field}`}>
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      ) : null}
    </label>
  );
  const error = search.error && !search.data && !live ? search.error : undefined;

  return (
    <>
      <PageHeader title="Logs">
        <button
          type="button"
          className={`rl-button ${live ? "rl-button-primary" : ""}`}
          aria-pressed={live}
          title="Follow the log as it is written"
          onClick={() => setTail(live ? "" : "on")}
        >
          <Icon name={live ? "pause" : "play"} size={13} />
          {live ? "Following" : "Follow"}
        </button>
        <RangePicker fallback={RANGE} />
      </PageHeader>
      <Panel
        title={live ? "Tail" : "Lines"}
        hint={
          live
            ? `the newest ${formatCount(TAIL_LINES)}, newest first`
            : form.trace !== ""
              ? "of one trace, newest first"
              : `${describeRange(range)}, newest first`
        }
        flush
        actions={
          <>
            {live && followed.dropped > 0 ? (
              <span className="text-xs font-medium text-warn" data-testid="answered">
                {formatCount(followed.dropped)} lines were too many to show; search to see them
              </span>
            ) : null}
            {live ? (
              <span
                className={`text-xs tabular-nums ${followed.state === "lost" ? "font-medium text-warn" : "text-subtle"}`}
                data-testid={followed.state === "lost" ? "stale" : undefined}
              >
                {paused ? "paused" : followed.state === "lost" ? "connection lost, trying again" : followed.state}
              </span>
            ) : (
              <DataAge
                ageMs={now === undefined || search.dataUpdatedAt === 0 ? undefined : now - search.dataUpdatedAt}
                staleAfterMs={Number.POSITIVE_INFINITY}
              />
            )}
            <button
              type="button"
              className="rl-icon-button"
              aria-label="Search again"
              title="Search again"
              disabled={live}
              onClick={() => void search.refetch()}
            >
              <Icon name="refresh" size={14} className={search.isFetching ? "animate-spin" : ""} />
            </button>
            <Menu
              label="Save"
              icon={<Icon name="download" size={15} />}
              items={[
                {
                  label: "Save as JSON lines",
                  onSelect: () =>
                    saveFile(
                      "ringlight-logs.jsonl",
                      lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
                      "application/x-ndjson",
                    ),
                },
                {
                  label: "Copy link to this view",
                  onSelect: () => void navigator.clipboard?.writeText(window.location.href),
                },
              ]}
            />
          </>
        }
      >
        <search aria-label="Filter the log" className="flex flex-wrap items-end gap-x-2.5 gap-y-2 px-4 pb-3">
          {input("text", "Text", "min-w-56 flex-1", "in the message or in a field")}
          <label className="block w-28">
            <span className="mb-0.5 block text-[11px] font-medium text-subtle">Level</span>
            <select
              className="rl-input h-7! px-1.5! text-xs!"
              value={form.level}
              onChange={(event) => setField("level", event.target.value)}
            >
              <option value="">all</option>
              {["debug", "info", "warn", "error"].map((level) => (
                <option key={level} value={level}>
                  {level === "error" ? "error" : `${level} and up`}
                </option>
              ))}
            </select>
          </label>
          {input("service", "Service", "w-44", "any", ["ringlight-worker", "ringlight-scheduler", "ringlight-console"])}
          {input("instance", "Instance", "w-36", "any", [
            ...(snapshot?.workers ?? []).slice(0, 500).map((worker) => worker.id),
            ...(snapshot?.schedulers ?? []).map((scheduler) => scheduler.id),
          ])}
          {input("trace", "Trace", "w-44", "32 hex digits")}
        </search>
        {error ? (
          <ErrorState inset error={error} onRetry={() => void search.refetch()} />
        ) : !live && !search.data ? (
          <LoadingState what="the log" rows={10} />
        ) : lines.length === 0 ? (
          <EmptyState
            title={
              live
                ? "Nothing has been written yet"
                : filtered
                  ? "No line has all that was asked for"
                  : "No line in this range"
            }
            command="ringlight worker --log-level debug"
          >
            {filtered
              ? "Widen the range, or take a condition away."
              : "Processes write little while all is well. A worker's level can be changed on its page while it runs, or set at its start:"}
          </EmptyState>
        ) : (
          <LogList lines={lines} onFilter={(value) => setField("text", value)} />
        )}
        <div className="flex flex-wrap items-center gap-3 border-t border-line px-4 py-2.5">
          <CopyCommand command={live ? commandLine("logs -f", logQuery(form)) : rangeLine(form, range)} />
          {more ? (
            <button type="button" className="rl-button" onClick={() => void loadOlder()}>
              Older lines
            </button>
          ) : null}
          {olderError ? <span className="text-xs text-bad">{olderError.message}</span> : null}
          <span className="ml-auto text-xs text-subtle tabular-nums">{formatCount(lines.length)} lines</span>
        </div>
      </Panel>
    </>
  );
}

function rangeLine(form: LogForm, range: { from: string; to: string }): string {
  const query = logQuery(form);
  query.set("from", range.from);
  query.set("to", range.to);
  return commandLine("logs", query);
}
