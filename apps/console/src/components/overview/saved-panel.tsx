"use client";
/** What the cache saved, at the prices that the user sets: in the URL, and remembered by the browser. */
import { CopyCommand, formatCount, formatSize, NOTHING, Panel } from "@ringlight/ui";
import { useSearchParams } from "next/navigation";
import { useEffect, useState } from "react";
import { parsePrice, savingsOf } from "../../state/savings.ts";
import { useUrlState } from "../../state/url-state.ts";
import type { Tick } from "../../wire.ts";

const KEPT = "ringlight.prices";
const FIELDS = ["gib", "requests", "currency"] as const;

type Field = (typeof FIELDS)[number];

/** A price: of the URL, else as this browser last used it. */
function usePrice(field: Field, fallback: string): [string, (text: string) => void] {
  const inUrl = useSearchParams().has(`price_${field}`);
  const [url, setUrl] = useUrlState(`price_${field}`, fallback);
  const [kept, setKept] = useState(fallback);
  useEffect(() => setKept(keptPrices()[field] ?? fallback), [field, fallback]);
  const set = (text: string) => {
    setKept(text);
    setUrl(text);
    try {
      localStorage.setItem(KEPT, JSON.stringify({ ...keptPrices(), [field]: text }));
    } catch {
      // A browser without storage forgets them with the tab.
    }
  };
  return [inUrl ? url : kept, set];
}

function keptPrices(): Partial<Record<Field, string>> {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    if (typeof kept !== "object" || kept === null) return {};
    return Object.fromEntries(Object.entries(kept).filter(([, value]) => typeof value === "string"));
  } catch {
    return {};
  }
}

/** Bytes and requests that the stores were not asked for, and their price. */
export function SavedPanel({ tick }: { tick: Tick | undefined }) {
  const [gib, setGib] = usePrice("gib", "");
  const [requests, setRequests] = usePrice("requests", "");
  const [currency, setCurrency] = usePrice("currency", "$");
  const prices = { perGib: parsePrice(gib) ?? 0, perThousandRequests: parsePrice(requests) ?? 0 };
  const saved = tick ? savingsOf(tick.totals, prices) : undefined;
  const priced = prices.perGib > 0 || prices.perThousandRequests > 0;
  return (
    <Panel title="What the cache saved" hint="since the workers' start">
      <dl className="grid grid-cols-[1fr_auto] gap-y-1.5 text-[13px]">
        <dt className="text-muted">Bytes not read from stores</dt>
        <dd className="text-right font-medium tabular-nums" data-testid="saved-bytes" data-value={saved?.bytes}>
          {formatSize(saved?.bytes)}
        </dd>
        <dt className="text-muted">GETs not sent to stores</dt>
        <dd className="text-right font-medium tabular-nums" data-testid="saved-requests" data-value={saved?.requests}>
          {saved ? formatCount(Math.round(saved.requests)) : NOTHING}
        </dd>
        <dt className="text-muted">Cost</dt>
        <dd className="text-right font-medium tabular-nums" data-testid="saved-cost" data-value={saved?.cost}>
          {saved && priced ? `${currency} ${saved.cost.toFixed(saved.cost < 10 ? 4 : 2)}` : "set a price"}
        </dd>
      </dl>
      <fieldset className="mt-3 grid grid-cols-3 gap-2">
        <legend className="sr-only">Prices of the store</legend>
        <Price id="price-gib" label="Per GiB" value={gib} onChange={setGib} />
        <Price id="price-requests" label="Per 1,000 GETs" value={requests} onChange={setRequests} />
        <Price id="price-currency" label="Currency" value={currency} onChange={setCurrency} text />
      </fieldset>
      <div className="mt-3">
        <CopyCommand command="ringlight status --json" />
      </div>
    </Panel>
  );
}

function Price({
  id,
  label,
  value,
  onChange,
  text = false,
}: {
  id: string;
  label: string;
  value: string;
  onChange: (text: string) => void;
  text?: boolean;
}) {
  const wrong = !text && value !== "" && parsePrice(value) === undefined;
  return (
    <div>
      <label htmlFor={id} className="mb-0.5 block text-xs text-muted">
        {label}
      </label>
      <input
        id={id}
        className="rl-input h-7 tabular-nums"
        value={value}
        inputMode={text ? "text" : "decimal"}
        maxLength={text ? 4 : 12}
        placeholder={text ? "" : "0.00"}
        aria-invalid={wrong}
        onChange={(event) => onChange(event.target.value)}
      />
    </div>
  );
}
