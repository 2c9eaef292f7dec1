"use client";
/** Ctrl+K: every page, worker, mount, job and action by its name; a path or a trace id that is typed becomes an entry. */
import { describeRange, Icon, type IconName, QUICK_RANGES } from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import { Command } from "cmdk";
import { useRouter } from "next/navigation";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { PAGES } from "../pages.ts";
import { browseHref } from "../state/browse-href.ts";
import { getJson } from "../state/fetch-json.ts";
import { useCluster, useLive } from "../state/live.tsx";
import { useRange } from "../state/time-range.ts";
import { setTheme } from "./theme-toggle.tsx";

/** Jobs that the palette offers: the newest. */
const JOBS_OFFERED = 12;

interface JobEntry {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly paths: readonly string[];
}

/** Jobs by whatever shape the jobs route answers with; none where it does not answer. */
async function listJobs(signal: AbortSignal): Promise<JobEntry[]> {
  const answer = await getJson<{ jobs?: readonly Record<string, unknown>[] }>(
    `/api/jobs?limit=${JOBS_OFFERED}`,
    signal,
  );
  return (answer.jobs ?? []).slice(0, JOBS_OFFERED).map((job) => {
    const spec = (job.spec ?? job) as Record<string, unknown>;
    return {
      id: String(job.id),
      kind: String(spec.kind ?? "job"),
      state: String(job.state ?? ""),
      paths: Array.isArray(spec.paths) ? spec.paths.map(String) : [],
    };
  });
}

/** The palette, open or not. */
export function CommandPalette({ open, onClose, onMap }: { open: boolean; onClose: () => void; onMap: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (open && !element?.open) {
      element?.showModal();
      // The browser would give the focus to the frame around the input.
      element?.querySelector("input")?.focus();
    }
    if (!open && element?.open) element.close();
  }, [open]);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape closes a dialog by itself; the click is on its backdrop
    <dialog
      ref={dialog}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
      aria-label="Command palette"
      className="mx-auto mt-[12vh] w-[min(38rem,calc(100vw-2rem))] rounded-xl border border-line bg-overlay p-0 text-text shadow-pop backdrop:bg-black/40"
    >
      {open ? <Palette onClose={onClose} onMap={onMap} /> : null}
    </dialog>
  );
}

function Palette({ onClose, onMap }: { onClose: () => void; onMap: () => void }) {
  const router = useRouter();
  const { snapshot } = useCluster();
  const { paused, setPaused } = useLive();
  const [, setRange] = useRange();
  const [text, setText] = useState("");
  const jobs = useQuery({
    queryKey: ["palette-jobs"],
    queryFn: ({ signal }) => listJobs(signal),
    staleTime: 5000,
    retry: false,
  });
  const run = (action: () => void) => () => {
    onClose();
    action();
  };
  const go = (href: string) => run(() => router.push(href));
  const typed = text.trim();
  const path = typed.startsWith("/") && typed.length > 1 ? typed : undefined;
  const traceId = /^[0-9a-f]{32}$/i.test(typed) ? typed.toLowerCase() : undefined;

  return (
    <Command label="Command palette" loop className="flex max-h-[60vh] flex-col">
      <div className="flex items-center gap-2.5 border-b border-line px-4">
        <Icon name="search" size={16} className="text-subtle" />
        <Command.Input
          value={text}
          onValueChange={setText}
          placeholder="A page, worker, mount, job, action; a /path or a trace id"
          className="h-12 w-full bg-transparent text-[15px] outline-none placeholder:text-subtle"
        />
        <kbd className="rl-key">Esc</kbd>
      </div>
      <Command.List className="overflow-y-auto p-1.5 [&_[cmdk-group-heading]]:px-2.5 [&_[cmdk-group-heading]]:pt-2 [&_[cmdk-group-heading]]:pb-1 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-subtle">
        <Command.Empty className="px-4 py-8 text-center text-[13px] text-muted">
          Nothing is named like that. A path begins with a slash; a trace id has 32 hex digits.
        </Command.Empty>
        {traceId ? (
          <Command.Group heading="Trace">
            <Entry icon="traces" value={`${typed} open trace`} onSelect={go(`/traces/${traceId}`)}>
              Open trace <code className="font-mono text-xs">{traceId}</code>
            </Entry>
          </Command.Group>
        ) : null}
        {path ? (
          <Command.Group heading={path}>
            <Entry icon="explain" value={`${typed} explain`} onSelect={go(`/explain?path=${encodeURIComponent(path)}`)}>
              Explain: why was it a hit or a miss
            </Entry>
            <Entry icon="ring" value={`${typed} ring`} onSelect={go(`/ring?path=${encodeURIComponent(path)}`)}>
              Where does it live on the ring
            </Entry>
            <Entry icon="browse" value={`${typed} browse`} onSelect={go(browseHref(path))}>
              Browse
            </Entry>
            <Entry icon="traces" value={`${typed} traces`} onSelect={go(`/traces?path=${encodeURIComponent(path)}`)}>
              Traces of it
            </Entry>
          </Command.Group>
        ) : null}
        <Command.Group heading="Pages">
          {PAGES.map((page) => (
            <Entry
              key={page.href}
              icon={page.icon}
              value={`${page.name} ${page.words}`}
              onSelect={go(page.href)}
              keys={`g ${page.key}`}
            >
              {page.name}
            </Entry>
          ))}
        </Command.Group>
        {snapshot && snapshot.workers.length > 0 ? (
          <Command.Group heading="Workers">
            {snapshot.workers.slice(0, 200).map((worker) => (
              <Entry
                key={worker.id}
                icon="workers"
                value={`worker ${worker.id} ${worker.hostname ?? ""}`}
                hint={worker.state}
                onSelect={go(`/workers/${encodeURIComponent(worker.id)}`)}
              >
                {worker.id}
              </Entry>
            ))}
          </Command.Group>
        ) : null}
        {snapshot && snapshot.mounts.length > 0 ? (
          <Command.Group heading="Mounts">
            {snapshot.mounts.map(({ record }) => (
              <Entry
                key={record.name}
                icon="mounts"
                value={`mount /${record.name} ${record.uri}`}
                hint={record.uri}
                onSelect={go(browseHref(`/${record.name}`))}
              >
                /{record.name}
              </Entry>
            ))}
          </Command.Group>
        ) : null}
        {jobs.data && jobs.data.length > 0 ? (
          <Command.Group heading="Jobs">
            {jobs.data.map((job) => (
              <Entry
                key={job.id}
                icon="jobs"
                value={`job ${job.id} ${job.kind} ${job.paths.join(" ")}`}
                hint={job.state}
                onSelect={go(`/jobs/${encodeURIComponent(job.id)}`)}
              >
                {job.kind} {job.paths[0] ?? ""} <span className="font-mono text-xs text-subtle">{job.id}</span>
              </Entry>
            ))}
          </Command.Group>
        ) : null}
        <Command.Group heading="Actions">
          <Entry
            icon={paused ? "play" : "pause"}
            value="pause live updates go on"
            keys="p"
            onSelect={run(() => setPaused(!paused))}
          >
            {paused ? "Go on with live updates" : "Pause live updates"}
          </Entry>
          <Entry icon="keyboard" value="keyboard map shortcuts help" keys="?" onSelect={run(onMap)}>
            Keyboard map
          </Entry>
          <Entry
            icon="link"
            value="copy link to this view share"
            onSelect={run(() => void navigator.clipboard?.writeText(window.location.href))}
          >
            Copy link to this view
          </Entry>
          {(["system", "light", "dark"] as const).map((theme) => (
            <Entry
              key={theme}
              icon={theme === "light" ? "sun" : theme === "dark" ? "moon" : "system"}
              value={`theme ${theme} mode`}
              onSelect={run(() => setTheme(theme))}
            >
              Theme: {theme}
            </Entry>
          ))}
        </Command.Group>
        <Command.Group heading="Time range">
          {QUICK_RANGES.map((range) => (
            <Entry
              key={`${range.from} ${range.to}`}
              icon="clock"
              value={`time range ${describeRange(range)} ${range.from}`}
              hint={range.from}
              onSelect={run(() => setRange(range))}
            >
              {describeRange(range)}
            </Entry>
          ))}
        </Command.Group>
      </Command.List>
    </Command>
  );
}

function Entry({
  icon,
  value,
  children,
  hint,
  keys,
  onSelect,
}: {
  icon: IconName;
  value: string;
  children: ReactNode;
  hint?: string;
  keys?: string;
  onSelect: () => void;
}) {
  return (
    <Command.Item
      value={value}
      onSelect={onSelect}
      className="flex cursor-pointer items-center gap-2.5 rounded-md px-2.5 py-1.5 text-[13px] data-[selected=true]:bg-raised"
    >
      <Icon name={icon} size={15} className="text-subtle" />
      <span className="min-w-0 truncate">{children}</span>
      {hint ? <span className="ml-auto max-w-56 truncate text-xs text-subtle">{hint}</span> : null}
      {keys ? (
        <span className="ml-auto flex gap-1">
          {keys.split(" ").map((key) => (
            <kbd key={key} className="rl-key">
              {key}
            </kbd>
          ))}
        </span>
      ) : null}
    </Command.Item>
  );
}
