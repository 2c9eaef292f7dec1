"use client";
import {
  CopyCommand,
  DataAge,
  describeRange,
  EmptyState,
  ErrorState,
  formatCount,
  formatMoment,
  formatPlural,
  formatTime,
  Icon,
  type IconName,
  LoadingState,
  Menu,
  Panel,
} from "@ringlight/ui";
import Link from "next/link";
import { useDeferredValue, useMemo } from "react";
import { commandLine } from "../../state/command-line.ts";
import { useEvents } from "../../state/events.ts";
import { useNow } from "../../state/live.tsx";
import { useRange } from "../../state/time-range.ts";
import { useUrlSet, useUrlState } from "../../state/url-state.ts";
import { type ClusterEvent, EVENT_KINDS, type EventKind } from "../../wire-events.ts";
import { saveFile } from "../chart-export.ts";
import { PageHeader } from "../page-header.tsx";
import { RangePicker } from "../time-picker.tsx";
import { AuditList } from "./audit-list.tsx";

const RANGE = { from: "now-24h", to: "now" };

const KIND_LOOK: Readonly<Record<EventKind, { icon: IconName; words: string }>> = {
  epoch: { icon: "ring", words: "Epochs" },
  worker: { icon: "workers", words: "Workers" },
  mount: { icon: "mounts", words: "Mounts" },
  job: { icon: "jobs", words: "Jobs" },
  election: { icon: "check", words: "Elections" },
  config: { icon: "config", words: "Settings" },
  problem: { icon: "warning", words: "Problems" },
  registry: { icon: "link", words: "Registry" },
  console: { icon: "overview", words: "Console" },
};

/** What changed in the cluster, and when: the newest first, a heading a day. */
export function EventsPage() {
  const [range] = useRange(RANGE);
  const [kinds, toggleKind] = useUrlSet("kind");
  const [text, setText] = useUrlState("text", "");
  const typed = useDeferredValue(text);
  const query = useEvents(range, [...kinds].sort().join(","), typed);
  const now = useNow(1000);
  const events = query.data?.events;
  const days = useMemo(() => {
    const groups: { day: string; events: ClusterEvent[] }[] = [];
    for (const event of events ?? []) {
      const day = formatMoment(event.atMs).slice(0, 10);
      const last = groups.at(-1);
      if (last?.day === day) last.events.push(event);
      else groups.push({ day, events: [event] });
    }
    return groups;
  }, [events]);
  const filtered = kinds.size > 0 || text !== "";
  const ageMs = now === undefined || query.dataUpdatedAt === 0 ? undefined : now - query.dataUpdatedAt;

  return (
    <>
      <PageHeader title="Events">
        <RangePicker fallback={RANGE} />
      </PageHeader>
      <Panel
        title="What changed"
        hint={events ? `${describeRange(range)}, newest first` : describeRange(range)}
        flush
        actions={
          <>
            <DataAge ageMs={ageMs} />
            <Menu
              label="Save"
              icon={<Icon name="download" size={15} />}
              items={[
                {
                  label: "Save as JSON",
                  onSelect: () =>
                    saveFile(
                      "ringlight-events.json",
                      `${JSON.stringify(events ?? [], undefined, 2)}\n`,
                      "application/json",
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
        <search aria-label="Filter the events" className="flex flex-wrap items-center gap-2 px-4 pb-3">
          <label className="relative block min-w-52 flex-1">
            <span className="sr-only">Text</span>
            <Icon name="search" size={14} className="pointer-events-none absolute top-2 left-2.5 text-subtle" />
            <input
              className="rl-input h-[30px]! pl-8! text-xs!"
              data-search=""
              value={text}
              placeholder="a worker, a mount, words of the event"
              spellCheck={false}
              onChange={(event) => setText(event.target.value)}
            />
          </label>
          <fieldset className="flex flex-wrap gap-1.5">
            <legend className="sr-only">Kinds</legend>
            {EVENT_KINDS.map((kind) => (
              <button
                key={kind}
                type="button"
                aria-pressed={kinds.has(kind)}
                className="flex h-[26px] items-center gap-1.5 rounded-full border border-line-strong px-2.5 text-xs text-muted hover:bg-raised aria-pressed:border-accent aria-pressed:bg-accent-soft aria-pressed:text-text"
                onClick={() => toggleKind(kind)}
              >
                <Icon name={KIND_LOOK[kind].icon} size={13} />
                {KIND_LOOK[kind].words}
              </button>
            ))}
          </fieldset>
        </search>
        {query.error && !query.data ? (
          <ErrorState inset error={query.error} onRetry={() => void query.refetch()} />
        ) : !events ? (
          <LoadingState what="the events" rows={8} />
        ) : events.length === 0 ? (
          <EmptyState
            title={filtered ? "No event has all that was asked for" : "Nothing changed in this range"}
            command="ringlight status"
          >
            {query.data && query.data.sinceMs > 0
              ? `Events are written down since ${formatMoment(query.data.sinceMs)}.`
              : "Changes of workers, mounts, jobs, epochs and leaders are written down as they happen."}
          </EmptyState>
        ) : (
          <div className="border-t border-line" data-testid="event-list">
            {days.map((group) => (
              <section key={group.day} aria-label={group.day}>
                <h3 className="sticky top-0 bg-raised px-4 py-1 text-xs font-medium text-muted tabular-nums">
                  {group.day}
                </h3>
                <ol className="divide-y divide-line">
                  {group.events.map((event) => (
                    <EventRow key={event.id} event={event} />
                  ))}
                </ol>
              </section>
            ))}
          </div>
        )}
        <div className="flex flex-wrap items-center gap-3 border-t border-line px-4 py-2.5">
          <CopyCommand
            command={commandLine(
              "events",
              new URLSearchParams({
                from: range.from,
                to: range.to,
                ...(kinds.size > 0 ? { kind: [...kinds].sort().join(",") } : {}),
                ...(text === "" ? {} : { text }),
              }),
            )}
          />
          {events ? (
            <span className="ml-auto text-xs text-subtle tabular-nums">
              {formatPlural(events.length, "event")}
              {query.data?.more ? `; only the newest ${formatCount(events.length)} are shown` : ""}
            </span>
          ) : null}
        </div>
      </Panel>
      <AuditList />
    </>
  );
}

function EventRow({ event }: { event: ClusterEvent }) {
  const look = KIND_LOOK[event.kind] ?? KIND_LOOK.console;
  const tone = event.tone === "bad" ? "text-bad" : event.tone === "good" ? "text-ok" : "text-subtle";
  return (
    <li
      className="flex items-start gap-3 px-4 py-1.5 text-[13px] hover:bg-raised/50"
      data-testid="event-row"
      data-kind={event.kind}
    >
      <Link
        className="shrink-0 pt-px text-xs text-subtle tabular-nums hover:text-accent"
        href={`/?from=${Math.round(event.atMs - 300_000)}&to=${Math.round(event.atMs + 300_000)}`}
        title="The overview around this moment"
      >
        {formatTime(event.atMs)}
      </Link>
      <span className={`mt-0.5 shrink-0 ${tone}`} title={look.words}>
        <Icon name={event.tone === "bad" ? "warning" : look.icon} size={14} />
      </span>
      <span className="min-w-0 flex-1 break-words">
        <span className="sr-only">{event.tone === "bad" ? "Bad: " : event.tone === "good" ? "Good: " : ""}</span>
        {event.href ? (
          <Link className="rl-link" href={event.href}>
            {event.text}
          </Link>
        ) : (
          event.text
        )}
      </span>
      <span className="shrink-0 text-xs text-subtle max-sm:hidden">{event.kind}</span>
    </li>
  );
}
