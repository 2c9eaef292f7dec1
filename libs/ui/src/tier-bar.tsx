import { formatBytes, formatPercent } from "./format.ts";
import { tierColour } from "./palette.ts";

/** How full one tier is. */
export interface TierUsage {
  readonly name: string;
  readonly usedBytes: number;
  readonly limitBytes: number;
  readonly error?: string | undefined;
}

/** A tier's use of its bytes: a bar, and the same in words. */
export function TierBar({ tier, compact = false }: { tier: TierUsage; compact?: boolean }) {
  const share = tier.limitBytes > 0 ? Math.min(1, tier.usedBytes / tier.limitBytes) : 0;
  const words = `${formatBytes(tier.usedBytes)} of ${formatBytes(tier.limitBytes)}`;
  return (
    <div className="min-w-0">
      <div className="flex items-baseline gap-2 text-xs tabular-nums">
        <span className="w-9 font-mono text-muted">{tier.name}</span>
        {compact ? null : <span className="text-text">{words}</span>}
        <span className="ml-auto text-subtle">{compact ? words : formatPercent(share, 0)}</span>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: the meter element cannot be drawn in a tier's colour everywhere */}
      <div
        role="meter"
        aria-label={`Tier ${tier.name}`}
        aria-valuemin={0}
        aria-valuemax={tier.limitBytes}
        aria-valuenow={Math.min(tier.usedBytes, tier.limitBytes)}
        aria-valuetext={`${words}, ${formatPercent(share, 0)}`}
        className="mt-1 h-1.5 overflow-hidden rounded-full bg-raised ring-1 ring-line ring-inset"
      >
        {/* Moved, not made wider: that is the compositor's work, not the page's. In tables there are too many for either. */}
        <div
          className={`h-full rounded-full ${compact ? "" : "transition-transform duration-500 motion-reduce:transition-none"}`}
          style={{ transform: `translateX(${(share - 1) * 100}%)`, background: tierColour(tier.name) }}
        />
      </div>
      {tier.error ? <p className="mt-1 text-xs break-words text-bad">Disk error: {tier.error}</p> : null}
    </div>
  );
}

/** Shares of a whole, side by side, each with its colour, name and value. */
export function StackBar({
  parts,
  label,
  format,
}: {
  parts: readonly { readonly name: string; readonly value: number; readonly colour: string }[];
  label: string;
  format: (value: number) => string;
}) {
  const total = parts.reduce((sum, part) => sum + part.value, 0);
  const words = parts.map((part) => `${part.name} ${format(part.value)}`).join(", ");
  return (
    <div
      role="img"
      aria-label={`${label}: ${total > 0 ? words : "nothing yet"}`}
      className="flex h-2.5 w-full gap-px overflow-hidden rounded-full bg-raised ring-1 ring-line ring-inset"
    >
      {total > 0
        ? parts.map((part) =>
            part.value > 0 ? (
              <div
                key={part.name}
                title={`${part.name}: ${format(part.value)}`}
                style={{ width: `${(part.value / total) * 100}%`, background: part.colour }}
              />
            ) : null,
          )
        : null}
    </div>
  );
}
