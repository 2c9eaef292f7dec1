"use client";
/** The ring's past, epoch by epoch: a slider, and what each change was and did. */
import { formatCount, formatMoment, formatPercent, Icon, Panel } from "@ringlight/ui";
import Link from "next/link";
import type { ReactNode } from "react";
import { type PastRing, useHitRateAround } from "../../state/ring-history.ts";
import type { EpochsView } from "../../wire.ts";

/** The slider. The newest epoch is at the right and is the present. */
export function EpochScrubber({
  epochs,
  shown,
  past,
  onShow,
}: {
  epochs: EpochsView["epochs"];
  /** Undefined: the present. */
  shown: number | undefined;
  past: PastRing | undefined;
  onShow: (epoch: number | undefined) => void;
}) {
  const oldestFirst = [...epochs].reverse();
  const place = shown === undefined ? oldestFirst.length - 1 : oldestFirst.findIndex(({ epoch }) => epoch === shown);
  const step = (to: number) => {
    const next = Math.max(0, Math.min(oldestFirst.length - 1, to));
    onShow(next === oldestFirst.length - 1 ? undefined : oldestFirst[next]?.epoch);
  };
  const current = oldestFirst[place];
  return (
    <Panel
      title="Past epochs"
      hint={`${formatCount(epochs.length)} kept`}
      actions={
        shown === undefined ? null : (
          <button type="button" className="rl-button" onClick={() => onShow(undefined)}>
            Back to now
          </button>
        )
      }
    >
      <div className="flex items-center gap-2">
        <button
          type="button"
          className="rl-icon-button"
          aria-label="Epoch before"
          disabled={place <= 0}
          onClick={() => step(place - 1)}
        >
          <Icon name="left" size={15} />
        </button>
        <input
          type="range"
          className="min-w-0 flex-1 accent-(--rl-accent)"
          min={0}
          max={Math.max(0, oldestFirst.length - 1)}
          value={Math.max(0, place)}
          aria-label="Epoch of the ring"
          aria-valuetext={current ? `epoch ${current.epoch}, ${formatMoment(current.atMs)}, ${current.cause}` : "now"}
          data-testid="epoch-scrubber"
          onChange={(event) => step(Number(event.target.value))}
        />
        <button
          type="button"
          className="rl-icon-button"
          aria-label="Epoch after"
          disabled={place >= oldestFirst.length - 1}
          onClick={() => step(place + 1)}
        >
          <Icon name="right" size={15} />
        </button>
      </div>
      {past ? <PastFacts past={past} /> : null}
    </Panel>
  );
}

function PastFacts({ past }: { past: PastRing }) {
  const { record, change } = past;
  const rates = useHitRateAround(record.atMs).data;
  const fell = rates?.before !== undefined && rates.after !== undefined && rates.before - rates.after > 0.02;
  return (
    <dl className="mt-2 grid gap-x-6 gap-y-1.5 text-[13px] tabular-nums sm:grid-cols-2" data-testid="epoch-facts">
      <Fact name={`Epoch ${record.epoch}`}>{record.cause || "–"}</Fact>
      <Fact name="Since">
        <Link className="rl-link" href={`/events?from=${record.atMs - 300_000}&to=${record.atMs + 300_000}`}>
          {formatMoment(record.atMs)}
        </Link>
      </Fact>
      <Fact name="Members">{formatCount(record.members.length)}</Fact>
      <Fact name="Arcs that moved">
        {change ? `${formatPercent(change.movedShare)}, ${formatCount(change.movedArcs)}` : "the first that is kept"}
      </Fact>
      <Fact name="Hit rate, 3 min before → after">
        <span className={fell ? "font-medium text-warn" : ""}>
          {formatPercent(rates?.before)} → {formatPercent(rates?.after)}
        </span>
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className="flex justify-between gap-3">
      <dt className="text-muted">{name}</dt>
      <dd className="min-w-0 truncate text-right">{children}</dd>
    </div>
  );
}
