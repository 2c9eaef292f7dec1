"use client";
/** Trying out a change of the ring: who comes, who goes, who weighs more, and what that would move. */
import type { Ring, RingDiff } from "@ringlight/ring";
import {
  CopyCommand,
  DataTable,
  formatCount,
  formatDeviation,
  formatPercent,
  formatSize,
  Icon,
  Panel,
  Swatch,
} from "@ringlight/ui";
import { useId, useState } from "react";
import { shellWord } from "../../state/shell-word.ts";
import { isWish, MOST_ADDED, NO_WISH, type RingWish, type WishCost } from "../../state/what-if.ts";
import type { ClusterSnapshot } from "../../wire.ts";

/** Rows of members that are shown before a filter is typed. */
const ROWS = 12;

/** The panel. */
export function WhatIfPanel({
  snapshot,
  ring,
  next,
  change,
  cost,
  wish,
  onWish,
  colours,
}: {
  snapshot: ClusterSnapshot;
  ring: Ring;
  next: Ring | undefined;
  change: RingDiff | undefined;
  cost: WishCost | undefined;
  wish: RingWish;
  onWish: (wish: RingWish) => void;
  colours: ReadonlyMap<string, string>;
}) {
  const id = useId();
  const [filter, setFilter] = useState("");
  const on = isWish(wish);
  const rows = snapshot.members
    .filter(
      (member) => member.id.includes(filter.trim()) || wish.remove.includes(member.id) || member.id in wish.weights,
    )
    .slice(0, Math.max(ROWS, wish.remove.length + Object.keys(wish.weights).length));
  const hidden = snapshot.members.length - rows.length;
  const toggle = (member: string) =>
    onWish({
      ...wish,
      remove: wish.remove.includes(member)
        ? wish.remove.filter((other) => other !== member)
        : [...wish.remove, member].sort(),
    });
  const weigh = (member: string, text: string, present: number) => {
    const { [member]: _old, ...weights } = wish.weights;
    const weight = Number(text);
    onWish({ ...wish, weights: weight > 0 && weight !== present ? { ...weights, [member]: weight } : weights });
  };
  return (
    <Panel
      title="What if"
      hint="computed in this browser by libs/ring; nothing is changed"
      actions={
        on ? (
          <button type="button" className="rl-button" onClick={() => onWish(NO_WISH)}>
            <Icon name="close" size={13} />
            As it is
          </button>
        ) : null
      }
    >
      <div className="flex flex-wrap items-end gap-3">
        <label htmlFor={`${id}-add`} className="text-xs text-muted">
          Add workers
          <input
            id={`${id}-add`}
            type="number"
            min={0}
            max={MOST_ADDED}
            className="rl-input mt-0.5 block w-20! tabular-nums"
            value={wish.add}
            onChange={(event) =>
              onWish({ ...wish, add: Math.max(0, Math.min(MOST_ADDED, Math.floor(Number(event.target.value) || 0))) })
            }
          />
        </label>
        <label htmlFor={`${id}-weight`} className="text-xs text-muted">
          of weight
          <input
            id={`${id}-weight`}
            type="number"
            min={0.1}
            step={0.1}
            className="rl-input mt-0.5 block w-20! tabular-nums"
            value={wish.addWeight}
            disabled={wish.add === 0}
            onChange={(event) => onWish({ ...wish, addWeight: Number(event.target.value) || 1 })}
          />
        </label>
        {snapshot.members.length > ROWS ? (
          <label className="text-xs text-muted">
            Find a member
            <input
              className="rl-input mt-0.5 block w-44!"
              value={filter}
              placeholder="part of its id"
              onChange={(event) => setFilter(event.target.value)}
            />
          </label>
        ) : null}
      </div>
      <div className="-mx-4 mt-3">
        <DataTable
          caption="Members to remove or to weigh anew"
          compact
          maxHeight={230}
          rows={rows}
          rowKey={(member) => member.id}
          columns={[
            {
              id: "worker",
              title: "Worker",
              cell: (member) => (
                <span className={`flex items-center gap-2 ${wish.remove.includes(member.id) ? "line-through" : ""}`}>
                  <Swatch colour={colours.get(member.id) ?? ""} />
                  {member.id}
                </span>
              ),
            },
            {
              id: "weight",
              title: "Weight",
              numeric: true,
              cell: (member) => (
                <input
                  type="number"
                  min={0.1}
                  step={0.1}
                  aria-label={`Weight of ${member.id}`}
                  className="rl-input h-6! w-16! px-1.5! text-right text-xs! tabular-nums"
                  value={wish.weights[member.id] ?? member.weight}
                  disabled={wish.remove.includes(member.id)}
                  onChange={(event) => weigh(member.id, event.target.value, member.weight)}
                />
              ),
            },
            {
              id: "share",
              title: "Share",
              numeric: true,
              cell: (member) =>
                next
                  ? `${formatPercent(ring.share(member.id), 1)} → ${formatPercent(next.share(member.id), 1)}`
                  : formatPercent(ring.share(member.id), 1),
            },
            {
              id: "remove",
              title: "Remove",
              numeric: true,
              cell: (member) => (
                <input
                  type="checkbox"
                  className="accent-(--rl-accent)"
                  aria-label={`Remove ${member.id}`}
                  checked={wish.remove.includes(member.id)}
                  onChange={() => toggle(member.id)}
                />
              ),
            },
          ]}
        />
        {hidden > 0 ? (
          <p className="px-4 pt-1 text-xs text-subtle">{formatCount(hidden)} more; type to find one.</p>
        ) : null}
      </div>
      <div aria-live="polite" data-testid="what-if-answer" className="mt-3">
        {!on ? (
          <p className="text-[13px] text-subtle">Add, remove or weigh workers to see what would move.</p>
        ) : !next || !change || !cost ? (
          <p className="text-[13px] text-warn">A ring without members serves nothing; leave one.</p>
        ) : (
          <Answer next={next} change={change} cost={cost} wish={wish} />
        )}
      </div>
    </Panel>
  );
}

function Answer({ next, change, cost, wish }: { next: Ring; change: RingDiff; cost: WishCost; wish: RingWish }) {
  const shares = next.members.map((member) => next.share(member.id));
  const weights = next.members.reduce((sum, member) => sum + member.weight, 0);
  const worst = Math.max(...next.members.map((member, index) => shares[index]! / (member.weight / weights)));
  return (
    <div className="space-y-3">
      <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-md border border-line bg-line sm:grid-cols-4">
        <Figure
          name="Cached bytes that move"
          value={formatSize(cost.movedBytes)}
          detail={`${formatCount(Math.round(cost.movedPages))} pages`}
        />
        <Figure
          name="Arcs that move"
          value={formatPercent(change.movedShare)}
          detail={`${formatCount(change.movedArcs)} of ${formatCount(change.arcs)}`}
        />
        <Figure
          name="Hit rate, not handed over"
          value={formatPercent(cost.coldHitRate)}
          detail={cost.hitRate === undefined ? "nothing is read now" : `now ${formatPercent(cost.hitRate)}`}
          bad={cost.hitRate !== undefined && cost.coldHitRate !== undefined && cost.hitRate - cost.coldHitRate > 0.05}
        />
        <Figure
          name="Hit rate, handed over"
          value={formatPercent(cost.warmHitRate)}
          detail={cost.overflowBytes > 0 ? `${formatSize(cost.overflowBytes)} no longer fit` : "all of it fits"}
          bad={cost.overflowBytes > 0}
        />
      </dl>
      <p className="text-[13px] text-muted">
        {cost.lostBytes > 0
          ? `${formatSize(cost.lostBytes)} are on workers that go: handed over if they leave alive, read again from the store if they die. `
          : ""}
        {change.needlessArcs > 0
          ? `${formatCount(change.needlessArcs)} arcs move only to keep the balance. `
          : "No arc moves that need not. "}
        The worst worker would have {formatDeviation(worst)} of its fair share.
      </p>
      <p className="text-xs text-subtle">
        Bytes and requests are taken to lie evenly on a worker's arcs; what no longer fits is taken to be read as often
        as the rest.
      </p>
      <CopyCommand command={whatIfCommand(wish)} />
    </div>
  );
}

/** The same question as a command. */
function whatIfCommand({ add, addWeight, remove, weights }: RingWish): string {
  return [
    "ringlight ring",
    ...(add > 0 ? [`--add ${add}`] : []),
    ...(add > 0 && addWeight !== 1 ? [`--weight ${addWeight}`] : []),
    ...remove.map((id) => `--remove ${shellWord(id)}`),
    ...Object.entries(weights).map(([id, weight]) => `--reweigh ${shellWord(`${id}=${weight}`)}`),
  ].join(" ");
}

function Figure({ name, value, detail, bad = false }: { name: string; value: string; detail: string; bad?: boolean }) {
  return (
    <div className="bg-surface px-3 py-2">
      <dt className="text-xs text-muted">{name}</dt>
      <dd className={`text-lg leading-6 font-semibold tabular-nums ${bad ? "text-warn" : ""}`}>
        {value}
        <span className="block text-xs font-normal text-subtle">{detail}</span>
      </dd>
    </div>
  );
}
