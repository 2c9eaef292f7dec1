"use client";
/** One span in full: what it says, when, where in the tree, and where to go from here. */
import { MISS_REASONS, type MissReason } from "@ringlight/core";
import type { Attributes, AttributeValue } from "@ringlight/trace-store";
import { Badge, formatLatency, formatMoment, formatPercent, Icon, ScrollRegion, writeFilter } from "@ringlight/ui";
import Link from "next/link";
import type { ReactNode } from "react";
import { isOpenedId } from "../../state/opened-traces.ts";
import type { TraceModel } from "./trace-model.ts";

/** Attributes that name a path of the namespace. */
const PATH_KEYS = ["ringlight.path", "ringlight.key.path"];

/** The panel beside the rows. */
export function SpanDetail({
  model,
  spanId,
  traceId,
  onClose,
  onSelect,
  onFilter,
}: {
  model: TraceModel;
  spanId: string;
  traceId: string;
  onClose: () => void;
  onSelect: (spanId: string) => void;
  onFilter: (filter: string) => void;
}) {
  const node = model.tree.byId.get(spanId);
  if (!node) {
    return (
      <Frame onClose={onClose} title="No such span">
        <p className="text-[13px] text-muted">
          The trace has no span {spanId}: it may still be on its way, or its sender left it out.
        </p>
      </Frame>
    );
  }
  const { span } = node;
  const resource = model.trace.resources[span.resource];
  const whole = Math.max(1e-6, model.tree.endMs - model.tree.startMs);
  const critical = model.criticalMs.get(spanId) ?? 0;
  const path = PATH_KEYS.map((key) => span.attributes[key]).find((value) => typeof value === "string") as
    | string
    | undefined;
  const reason = span.attributes["ringlight.miss.reason"];
  const why = typeof reason === "string" ? MISS_REASONS[reason as MissReason] : undefined;
  const job = span.attributes["ringlight.job.id"];
  const time = (ms: number) => formatLatency(ms / 1000);
  return (
    <Frame onClose={onClose} title={span.name}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <Badge tone={span.status === "error" ? "bad" : span.status === "ok" ? "ok" : "idle"}>
          {span.status === "error" ? "failed" : span.status === "ok" ? "ok" : "no status"}
        </Badge>
        <span className="text-xs text-muted">
          {span.kind} · {model.processOf(span)}
        </span>
      </div>
      {span.statusMessage ? <p className="mt-1 text-[13px] break-words text-bad">{span.statusMessage}</p> : null}
      {why ? (
        <p className="mt-2 rounded-md bg-raised p-2 text-[13px]">
          <span className="font-medium">{String(reason)}</span>: {why.sentence}{" "}
          <span className="text-muted">{why.remedy}</span>
        </p>
      ) : null}
      <dl className="mt-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-[13px] tabular-nums">
        <Fact name="Duration">{`${time(span.durationMs)}, ${formatPercent(span.durationMs / whole)} of the trace`}</Fact>
        <Fact name="Own time">{time(node.selfMs)}</Fact>
        <Fact name="On the critical path">
          {critical > 0 ? `${time(critical)}, ${formatPercent(critical / whole)}` : "no"}
        </Fact>
        <Fact name="Starts">{`${time(span.startMs - model.tree.startMs)} in, ${formatMoment(span.startMs)}`}</Fact>
        <Fact name="Beneath it">{`${node.children.length} children, ${node.descendants} spans`}</Fact>
        {node.parent ? (
          <Fact name="Parent">
            <button type="button" className="rl-link" onClick={() => onSelect(node.parent!.span.spanId)}>
              {node.parent.span.name}
            </button>
          </Fact>
        ) : span.parentSpanId ? (
          <Fact name="Parent">
            <span className="font-mono text-xs">{span.parentSpanId}</span>, not in this trace
          </Fact>
        ) : null}
      </dl>
      <div className="mt-3 flex flex-wrap gap-2">
        {path ? (
          <Link className="rl-button" href={`/explain?path=${encodeURIComponent(path)}`}>
            <Icon name="explain" size={14} />
            Explain the path
          </Link>
        ) : null}
        {typeof job === "string" ? (
          <Link className="rl-button" href={`/jobs/${encodeURIComponent(job)}`}>
            <Icon name="jobs" size={14} />
            Job
          </Link>
        ) : null}
        {isOpenedId(traceId) ? null : (
          <Link className="rl-button" href={`/logs?trace=${traceId}`}>
            <Icon name="logs" size={14} />
            Logs
          </Link>
        )}
        {resource?.service === "ringlight-worker" && resource.instance ? (
          <Link className="rl-button" href={`/workers/${encodeURIComponent(resource.instance)}`}>
            <Icon name="workers" size={14} />
            {resource.instance}
          </Link>
        ) : null}
        <button
          type="button"
          className="rl-button"
          title="Copy a link to this span"
          onClick={() => void navigator.clipboard?.writeText(window.location.href)}
        >
          <Icon name="link" size={14} />
          Link
        </button>
      </div>
      <AttributeList title="Attributes" attributes={span.attributes} onFilter={onFilter} />
      {(span.events ?? []).length > 0 ? (
        <section className="mt-4" aria-label="Events">
          <h4 className="mb-1 text-xs font-medium text-subtle">Events</h4>
          <ol className="space-y-1.5">
            {span.events?.map((event, index) => (
              <li key={`${event.atMs} ${event.name} ${index.toString()}`} className="text-[13px]">
                <span className="text-subtle tabular-nums">+{time(event.atMs - span.startMs)}</span> {event.name}
                <Pairs attributes={event.attributes} />
              </li>
            ))}
          </ol>
        </section>
      ) : null}
      {(span.links ?? []).length > 0 ? (
        <section className="mt-4" aria-label="Links">
          <h4 className="mb-1 text-xs font-medium text-subtle">Links</h4>
          <ul className="space-y-1">
            {span.links?.map((link) => (
              <li key={`${link.traceId}${link.spanId}`}>
                <Link className="rl-link font-mono text-xs" href={`/traces/${link.traceId}?span=${link.spanId}`}>
                  {link.traceId.slice(0, 16)}… {link.spanId}
                </Link>
                <Pairs attributes={link.attributes} />
              </li>
            ))}
          </ul>
        </section>
      ) : null}
      <AttributeList title="Process" attributes={resource?.attributes ?? {}} />
      <p className="mt-3 font-mono text-xs text-subtle">span {span.spanId}</p>
      {span.dropped ? (
        <p className="text-xs text-warn">{span.dropped} attributes, events or links were left out by the sender.</p>
      ) : null}
    </Frame>
  );
}

function Frame({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  return (
    <ScrollRegion
      label={`Span ${title}`}
      data-testid="span-detail"
      className="max-h-[calc(62vh+60px)] min-w-0 overflow-auto border-line p-4 max-xl:border-t xl:border-l"
    >
      <div className="mb-2 flex items-start gap-2">
        <h3 className="min-w-0 flex-1 text-sm font-semibold break-words">{title}</h3>
        <button type="button" className="rl-icon-button" aria-label="Close the span" onClick={onClose}>
          <Icon name="close" size={14} />
        </button>
      </div>
      {children}
    </ScrollRegion>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <>
      <dt className="whitespace-nowrap text-muted">{name}</dt>
      <dd className="min-w-0 break-words">{children}</dd>
    </>
  );
}

const text = (value: AttributeValue) => (typeof value === "string" ? value : JSON.stringify(value));

function Pairs({ attributes }: { attributes: Attributes }) {
  const pairs = Object.entries(attributes);
  if (pairs.length === 0) return null;
  return (
    <span className="block pl-3 font-mono text-xs break-all text-muted">
      {pairs.map(([key, value]) => `${key}=${text(value)}`).join(" ")}
    </span>
  );
}

function AttributeList({
  title,
  attributes,
  onFilter,
}: {
  title: string;
  attributes: Attributes;
  onFilter?: (filter: string) => void;
}) {
  const pairs = Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1));
  if (pairs.length === 0) return null;
  return (
    <section className="mt-4" aria-label={title}>
      <h4 className="mb-1 text-xs font-medium text-subtle">{title}</h4>
      <dl className="divide-y divide-line border-y border-line">
        {pairs.map(([key, value]) => (
          <div
            key={key}
            className="group grid grid-cols-[minmax(0,9fr)_minmax(0,11fr)] items-center gap-2 py-1 text-xs"
          >
            <dt className="break-all text-muted">{key}</dt>
            <dd className="flex items-center gap-2 font-mono break-all">
              <span className="min-w-0 flex-1">{text(value)}</span>
              {onFilter ? (
                <button
                  type="button"
                  className="text-subtle opacity-0 group-hover:opacity-100 hover:text-accent focus-visible:opacity-100"
                  aria-label={`Find spans with ${key}=${text(value)}`}
                  title="Find spans with this"
                  onClick={() => onFilter(writeFilter([{ key, op: "=", value: text(value) }]))}
                >
                  <Icon name="search" size={12} />
                </button>
              ) : null}
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
