"use client";
/** Log lines, only those in sight in the document. A line opens to show its attributes. */
import type { StoredLog } from "@ringlight/trace-store";
import { formatMoment, Icon, ScrollRegion } from "@ringlight/ui";
import { useVirtualizer } from "@tanstack/react-virtual";
import Link from "next/link";
import { type KeyboardEvent, useRef, useState } from "react";

const LEVELS: Readonly<Record<string, string>> = {
  trace: "text-subtle",
  debug: "text-subtle",
  info: "text-muted",
  warn: "text-warn font-semibold",
  error: "text-bad font-semibold",
  fatal: "text-bad font-semibold",
};

const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** The list, newest first. */
export function LogList({ lines, onFilter }: { lines: readonly StoredLog[]; onFilter: (text: string) => void }) {
  const scroller = useRef<HTMLDivElement>(null);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => 27,
    overscan: 20,
    getItemKey: (index) => lines[index]?.id ?? index,
  });
  const toggle = (id: number) =>
    setOpen((known) => {
      const next = new Set(known);
      if (!next.delete(id)) next.add(id);
      return next;
    });
  const onKey = (event: KeyboardEvent) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step === 0) return;
    const buttons = [...(scroller.current?.querySelectorAll<HTMLElement>("[data-line]") ?? [])];
    const at = buttons.indexOf(document.activeElement as HTMLElement);
    const next = buttons[at + step];
    if (at < 0 || !next) return;
    event.preventDefault();
    next.focus();
  };
  return (
    <ScrollRegion
      ref={scroller}
      label="Log lines, newest first"
      className="h-[min(68vh,760px)] overflow-auto border-t border-line font-mono text-xs"
      data-testid="log-list"
      data-lines={lines.length}
    >
      <div className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const line = lines[item.index]!;
          const shown = open.has(line.id);
          const attributes = Object.entries(line.attributes);
          return (
            <div
              key={line.id}
              ref={virtual.measureElement}
              data-index={item.index}
              data-testid="log-line"
              data-level={line.level}
              className={`absolute inset-x-0 border-b border-line/60 ${shown ? "bg-raised/60" : "hover:bg-raised/50"}`}
              style={{ transform: `translateY(${item.start}px)` }}
            >
              <div className="flex items-start gap-3 px-4 py-1">
                <button
                  type="button"
                  data-line=""
                  aria-expanded={shown}
                  className="flex min-w-0 flex-1 items-start gap-3 text-left leading-[18px]"
                  onKeyDown={onKey}
                  onClick={() => toggle(line.id)}
                >
                  <span className="shrink-0 text-subtle tabular-nums" title={formatMoment(line.atMs)}>
                    {formatMoment(line.atMs).slice(11)}.{String(Math.floor(line.atMs % 1000)).padStart(3, "0")}
                  </span>
                  <span className={`w-10 shrink-0 uppercase ${LEVELS[line.level] ?? ""}`}>{line.level}</span>
                  <span className="w-36 shrink-0 truncate text-muted max-md:hidden">
                    {line.instance ?? line.service}
                  </span>
                  <span className={`min-w-0 flex-1 ${shown ? "break-words whitespace-pre-wrap" : "truncate"}`}>
                    {line.message}
                    {shown ? null : (
                      <span className="text-subtle">
                        {attributes.map(([key, value]) => `  ${key}=${text(value)}`).join("")}
                      </span>
                    )}
                  </span>
                </button>
                {line.traceId ? (
                  <Link
                    className="rl-link shrink-0 leading-[18px] text-muted"
                    href={`/traces/${line.traceId}${line.spanId ? `?span=${line.spanId}` : ""}`}
                    aria-label={`Trace ${line.traceId.slice(0, 8)} of this line`}
                    title={line.traceId}
                  >
                    {line.traceId.slice(0, 8)}
                  </Link>
                ) : null}
              </div>
              {shown ? (
                <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-0.5 px-4 pt-0.5 pb-2 sm:pl-[8.5rem]">
                  {[["service", line.service] as const, ...attributes].map(([key, value]) => (
                    <div key={key} className="contents">
                      <dt className="text-muted">{key}</dt>
                      <dd className="flex items-center gap-2 break-all">
                        {text(value)}
                        <button
                          type="button"
                          className="text-subtle hover:text-accent"
                          aria-label={`Find lines with ${text(value)}`}
                          onClick={() => onFilter(text(value))}
                        >
                          <Icon name="search" size={12} />
                        </button>
                      </dd>
                    </div>
                  ))}
                </dl>
              ) : null}
            </div>
          );
        })}
      </div>
    </ScrollRegion>
  );
}
