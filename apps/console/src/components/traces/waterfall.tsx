"use client";
import type { SpanRecord } from "@ringlight/trace-store";
/**
 * The spans of a trace as bars in time. Only the rows in sight are in the document, so that 10,000 spans scroll like ten.
 * It is one tree to the keyboard: arrows walk and fold, Enter shows the span, n and N go from match to match.
 */
import { formatLatency, Icon, type TraceNode, visibleNodes } from "@ringlight/ui";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, memo, useEffect, useMemo, useRef, useState } from "react";
import { TimeAxis } from "./time-axis.tsx";
import type { TraceModel } from "./trace-model.ts";

const ROW_PX = 26;
/** Indentation stops here: deeper spans say their depth by their label alone. */
const DEEPEST = 24;

/** Part of a trace's time, as shares of the whole. */
export interface TimeSlice {
  readonly from: number;
  readonly to: number;
}

/** What is drawn and how. */
export interface WaterfallProps {
  readonly model: TraceModel;
  readonly slice: TimeSlice;
  readonly selected: string | undefined;
  readonly onSelect: (spanId: string) => void;
  /** Spans that the filter found. */
  readonly found: ReadonlySet<string> | undefined;
  readonly only: "all" | "matches" | "critical";
  readonly folded: ReadonlySet<string>;
  readonly onFold: (spanIds: readonly string[], fold: boolean) => void;
}

/** The rows. */
export function Waterfall({ model, slice, selected, onSelect, found, only, folded, onFold }: WaterfallProps) {
  const { tree, criticalMs } = model;
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => {
    if (only === "critical") return tree.nodes.filter((node) => criticalMs.has(node.span.spanId));
    if (only === "matches" && found) return tree.nodes.filter((node) => found.has(node.span.spanId));
    return visibleNodes(tree, folded);
  }, [tree, criticalMs, only, found, folded]);
  const [active, setActive] = useState(0);
  const placeOf = useMemo(() => new Map(rows.map((node, index) => [node.span.spanId, index])), [rows]);
  const sections = useMemo(() => {
    const bySpan = new Map<string, { fromMs: number; toMs: number }[]>();
    for (const section of model.critical) {
      const list = bySpan.get(section.spanId);
      if (list) list.push(section);
      else bySpan.set(section.spanId, [section]);
    }
    return bySpan;
  }, [model.critical]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
  });

  // A link to a span brings it into sight.
  const { scrollToIndex } = virtual;
  useEffect(() => {
    const place = selected === undefined ? undefined : placeOf.get(selected);
    if (place === undefined) return;
    setActive(place);
    scrollToIndex(place, { align: "auto" });
  }, [selected, placeOf, scrollToIndex]);

  const go = (place: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, place));
    setActive(next);
    virtual.scrollToIndex(next, { align: "auto" });
  };
  const onKey = (event: KeyboardEvent) => {
    const node = rows[active];
    if (!node || event.ctrlKey || event.metaKey || event.altKey) return;
    const id = node.span.spanId;
    const foldable = only === "all" && node.children.length > 0;
    const match = (step: number) => {
      if (!found) return;
      for (let place = active + step; place >= 0 && place < rows.length; place += step) {
        if (found.has(rows[place]!.span.spanId)) return go(place);
      }
    };
    if (event.key === "ArrowDown") go(active + 1);
    else if (event.key === "ArrowUp") go(active - 1);
    else if (event.key === "PageDown") go(active + 20);
    else if (event.key === "PageUp") go(active - 20);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(rows.length - 1);
    else if (event.key === "ArrowLeft") {
      if (foldable && !folded.has(id)) onFold([id], true);
      else if (node.parent) go(placeOf.get(node.parent.span.spanId) ?? active);
    } else if (event.key === "ArrowRight") {
      if (foldable && folded.has(id)) onFold([id], false);
      else go(active + 1);
    } else if (event.key === "Enter" || event.key === " ") onSelect(id);
    else if (event.key === "n") match(1);
    else if (event.key === "N") match(-1);
    else return;
    event.preventDefault();
  };

  const items = virtual.getVirtualItems();
  return (
    <div>
      <div className="grid grid-cols-[minmax(13rem,34%)_1fr] border-b border-line text-xs text-subtle">
        <div className="px-4 py-1 tabular-nums">{rows.length.toLocaleString("en-US")} spans</div>
        <TimeAxis model={model} slice={slice} />
      </div>
      <div
        ref={scroller}
        role="tree"
        aria-label="Spans of the trace"
        tabIndex={0}
        aria-activedescendant={rows[active] ? `span-${rows[active].span.spanId}` : undefined}
        className="group/tree h-[min(62vh,640px)] overflow-auto focus-visible:outline-offset-[-2px]"
        data-testid="waterfall"
        data-rows={rows.length}
        onKeyDown={onKey}
      >
        <div className="relative" style={{ height: virtual.getTotalSize() }}>
          {items.map((item) => {
            const node = rows[item.index]!;
            const id = node.span.spanId;
            return (
              <Row
                key={id}
                node={node}
                model={model}
                topPx={item.start}
                slice={slice}
                sections={sections.get(id)}
                selected={id === selected}
                active={item.index === active}
                dim={found !== undefined && only !== "matches" && !found.has(id)}
                folded={folded.has(id)}
                foldable={only === "all" && node.children.length > 0}
                onSelect={onSelect}
                onFold={onFold}
              />
            );
          })}
        </div>
        {rows.length === 0 ? (
          <p className="px-4 py-8 text-center text-[13px] text-muted">
            No span of this trace has what the filter asks for.
          </p>
        ) : null}
      </div>
    </div>
  );
}

interface RowProps {
  readonly node: TraceNode<SpanRecord>;
  readonly model: TraceModel;
  readonly topPx: number;
  readonly slice: TimeSlice;
  readonly sections: readonly { fromMs: number; toMs: number }[] | undefined;
  readonly selected: boolean;
  readonly active: boolean;
  readonly dim: boolean;
  readonly folded: boolean;
  readonly foldable: boolean;
  readonly onSelect: (spanId: string) => void;
  readonly onFold: (spanIds: readonly string[], fold: boolean) => void;
}

/** One span. */
const Row = memo(function Row(props: RowProps) {
  const { node, model, topPx, slice, sections, selected, active, dim, folded, foldable, onSelect, onFold } = props;
  const { span } = node;
  const { startMs, endMs } = model.tree;
  const whole = Math.max(1e-6, endMs - startMs);
  const width = slice.to - slice.from;
  /** A moment as a share of what is shown. */
  const at = (ms: number) => ((ms - startMs) / whole - slice.from) / width;
  const left = at(span.startMs);
  const right = at(span.startMs + span.durationMs);
  const service = model.serviceOf(span);
  const colour = model.colours.get(service) ?? "var(--rl-tier-other)";
  const failed = span.status === "error";
  const words = formatLatency(span.durationMs / 1000);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the tree takes the keys
    <div
      id={`span-${span.spanId}`}
      role="treeitem"
      tabIndex={-1}
      aria-level={node.depth + 1}
      aria-selected={selected}
      aria-expanded={foldable ? !folded : undefined}
      data-testid="span-row"
      data-span={span.spanId}
      className={`absolute inset-x-0 grid cursor-pointer grid-cols-[minmax(13rem,34%)_1fr] text-[13px] ${
        selected ? "bg-accent-soft" : "hover:bg-raised/70"
      } ${active ? "group-focus-visible/tree:shadow-[inset_2px_0_0_var(--rl-focus)]" : ""}`}
      style={{ top: topPx, height: ROW_PX }}
      onClick={() => onSelect(span.spanId)}
    >
      <div
        className="flex min-w-0 items-center gap-1.5 border-r border-line pr-2"
        style={{ paddingLeft: 8 + Math.min(node.depth, DEEPEST) * 13 }}
      >
        {foldable ? (
          <button
            type="button"
            tabIndex={-1}
            aria-hidden="true"
            className="-ml-0.5 flex size-4 shrink-0 items-center justify-center rounded text-subtle hover:text-text"
            onClick={(event) => {
              event.stopPropagation();
              onFold([span.spanId], !folded);
            }}
          >
            <Icon name={folded ? "right" : "down"} size={12} />
          </button>
        ) : (
          <span className="size-4 shrink-0" />
        )}
        <span className="h-3.5 w-[3px] shrink-0 rounded-full" style={{ background: colour }} />
        {failed ? <Icon name="error" size={13} className="text-bad" /> : null}
        <span className={`truncate ${failed ? "text-bad" : dim ? "text-subtle" : ""}`}>{span.name}</span>
        <span className="min-w-0 flex-1 truncate text-xs text-subtle">{model.processOf(span)}</span>
        {folded ? <span className="rounded bg-raised px-1 text-[11px] text-muted">+{node.descendants}</span> : null}
        {failed ? <span className="sr-only">failed</span> : null}
        {sections ? <span className="sr-only">on the critical path</span> : null}
      </div>
      <div className="relative min-w-0 overflow-hidden">
        {right < 0 || left > 1 ? null : (
          <>
            <div
              className="absolute top-[7px] h-3 min-w-[2px] rounded-[3px]"
              style={{
                left: `${left * 100}%`,
                width: `${(right - left) * 100}%`,
                background: colour,
                opacity: dim ? 0.25 : failed ? 0.95 : 0.75,
                outline: failed ? "1.5px solid var(--rl-bad)" : undefined,
              }}
            />
            {(sections ?? []).map((section) => (
              <div
                key={section.fromMs}
                className="absolute top-[18px] h-[3px] bg-text"
                style={{
                  left: `${at(section.fromMs) * 100}%`,
                  width: `${(at(section.toMs) - at(section.fromMs)) * 100}%`,
                }}
              />
            ))}
            <span
              className={`pointer-events-none absolute top-0 flex h-full items-center px-1.5 text-xs whitespace-nowrap tabular-nums ${
                right > 0.86 && left <= 0.14 ? "top-[5px]! mr-1 h-4! rounded bg-surface/90 text-text" : "text-muted"
              }`}
              style={
                right > 0.86 && left > 0.14
                  ? { right: `${(1 - left) * 100}%` }
                  : right > 0.86
                    ? { right: 0 }
                    : { left: `${Math.max(0, right) * 100}%` }
              }
            >
              {words}
            </span>
          </>
        )}
      </div>
    </div>
  );
});
