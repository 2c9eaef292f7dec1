"use client";
/** The page's time range: said in words, typed in Grafana's grammar, shifted and zoomed, copied and pasted. */
import {
  absoluteRange,
  describeRange,
  formatMoment,
  Icon,
  isMoving,
  parseMoment,
  QUICK_RANGES,
  resolveRange,
  shiftWindow,
  type TimeRange,
  zoomOut,
} from "@ringlight/ui";
import { type FormEvent, useEffect, useId, useRef, useState } from "react";
import { recentRanges, useRange, windowOf } from "../state/time-range.ts";

/** Event that opens the picker of the page that is shown: the keyboard's `t t` sends it. */
export const OPEN_TIME_PICKER = "ringlight:time-picker";

const capital = (words: string) => words.charAt(0).toUpperCase() + words.slice(1);
const sameRange = (a: TimeRange, b: TimeRange) => a.from === b.from && a.to === b.to;

/** The picker of the page's range. `fallback` is the range of a page whose URL names none. */
export function RangePicker({ fallback }: { fallback?: TimeRange }) {
  const [range, setRange] = useRange(fallback);
  const [open, setOpen] = useState(false);
  const frame = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    const show = () => setOpen(true);
    window.addEventListener(OPEN_TIME_PICKER, show);
    return () => window.removeEventListener(OPEN_TIME_PICKER, show);
  }, []);
  useEffect(() => {
    if (!open) return;
    const leave = (event: PointerEvent) => {
      if (event.target instanceof Node && !frame.current?.contains(event.target)) setOpen(false);
    };
    // From anywhere within.
    const within = frame.current;
    const onEscape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      setOpen(false);
      button.current?.focus();
    };
    document.addEventListener("pointerdown", leave);
    within?.addEventListener("keydown", onEscape);
    return () => {
      document.removeEventListener("pointerdown", leave);
      within?.removeEventListener("keydown", onEscape);
    };
  }, [open]);
  const shift = (direction: -1 | 1) => setRange(absoluteRange(shiftWindow(windowOf(range), direction, Date.now())));

  return (
    <div ref={frame} className="relative">
      <fieldset className="flex items-center rounded-md border border-line-strong bg-surface p-px">
        <legend className="sr-only">Time range</legend>
        <button
          type="button"
          className="rl-icon-button"
          aria-label="Earlier"
          title="Earlier (t ←)"
          onClick={() => shift(-1)}
        >
          <Icon name="left" size={14} />
        </button>
        <button
          ref={button}
          type="button"
          className="flex h-[26px] items-center gap-1.5 rounded px-1.5 text-xs font-medium whitespace-nowrap tabular-nums hover:bg-raised"
          aria-haspopup="dialog"
          aria-expanded={open}
          title="Change the time range (t t)"
          data-testid="time-range"
          onClick={() => setOpen(!open)}
        >
          <Icon name="clock" size={14} className="text-subtle" />
          {capital(describeRange(range))}
          <Icon name="down" size={12} className="text-subtle" />
        </button>
        <button
          type="button"
          className="rl-icon-button"
          aria-label="Later"
          title="Later (t →)"
          disabled={isMoving(range)}
          onClick={() => shift(1)}
        >
          <Icon name="right" size={14} className={isMoving(range) ? "opacity-40" : ""} />
        </button>
        <button
          type="button"
          className="rl-icon-button"
          aria-label="Zoom out"
          title="Zoom out (t z)"
          onClick={() => setRange(absoluteRange(zoomOut(windowOf(range), Date.now())))}
        >
          <Icon name="zoom-out" size={14} />
        </button>
      </fieldset>
      {open ? (
        <PickerDialog
          range={range}
          onPick={(next) => {
            setRange(next);
            close();
          }}
        />
      ) : null}
    </div>
  );
}

function PickerDialog({ range, onPick }: { range: TimeRange; onPick: (range: TimeRange) => void }) {
  const id = useId();
  const shown = (text: string) => (/^\d{10,14}$/.test(text) ? formatMoment(Number(text)) : text);
  const [from, setFrom] = useState(shown(range.from));
  const [to, setTo] = useState(shown(range.to));
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.select(), []);
  const recent = recentRanges().filter((kept) => !QUICK_RANGES.some((quick) => sameRange(quick, kept)));
  const now = Date.now();
  const badFrom = parseMoment(from, now, "from") === undefined;
  const badTo = parseMoment(to, now, "to") === undefined;
  const backwards = !badFrom && !badTo && resolveRange({ from, to }, now) === undefined;
  const apply = (event: FormEvent) => {
    event.preventDefault();
    if (!badFrom && !badTo && !backwards) onPick({ from: from.trim(), to: to.trim() });
  };
  const meant = (text: string, edge: "from" | "to") => {
    const ms = parseMoment(text, now, edge);
    return ms === undefined ? "not a moment; try now-1h, now/d or 2026-11-26 14:00" : formatMoment(ms);
  };
  return (
    <div
      role="dialog"
      aria-label="Time range"
      className="absolute top-full right-0 z-40 mt-1 grid w-[min(30rem,calc(100vw-2rem))] gap-4 rounded-lg border border-line bg-overlay p-4 shadow-pop sm:grid-cols-[1fr_10.5rem] max-sm:right-auto max-sm:left-0"
    >
      <form onSubmit={apply} className="space-y-2.5" aria-label="Absolute or relative range">
        {(
          [
            ["From", from, setFrom, badFrom || backwards, "from"],
            ["To", to, setTo, badTo, "to"],
          ] as const
        ).map(([name, value, set, bad, edge]) => (
          <div key={name}>
            <label htmlFor={`${id}-${edge}`} className="text-xs font-medium text-muted">
              {name}
            </label>
            <input
              ref={edge === "from" ? first : undefined}
              id={`${id}-${edge}`}
              className="rl-input mt-0.5 font-mono text-xs!"
              value={value}
              spellCheck={false}
              autoComplete="off"
              aria-invalid={bad}
              aria-describedby={`${id}-${edge}-says`}
              onChange={(event) => set(event.target.value)}
            />
            <p id={`${id}-${edge}-says`} className={`mt-0.5 text-xs tabular-nums ${bad ? "text-bad" : "text-subtle"}`}>
              {edge === "from" && backwards ? "does not lie before the end" : meant(value, edge)}
            </p>
          </div>
        ))}
        <div className="flex items-center gap-2">
          <button type="submit" className="rl-button rl-button-primary" disabled={badFrom || badTo || backwards}>
            Apply
          </button>
          <CopyPaste range={{ from, to }} onPaste={onPick} />
        </div>
        {recent.length > 0 ? (
          <div>
            <p className="text-xs font-medium text-muted">Used last</p>
            <ul className="mt-0.5 -mx-1.5">
              {recent.map((kept) => (
                <li key={`${kept.from} ${kept.to}`}>
                  <RangeButton range={kept} current={sameRange(kept, range)} onPick={onPick} />
                </li>
              ))}
            </ul>
          </div>
        ) : null}
      </form>
      <ul aria-label="Quick ranges" className="-my-1 sm:border-l sm:border-line sm:pl-2">
        {QUICK_RANGES.map((quick) => (
          <li key={`${quick.from} ${quick.to}`}>
            <RangeButton range={quick} current={sameRange(quick, range)} onPick={onPick} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function RangeButton({
  range,
  current,
  onPick,
}: {
  range: TimeRange;
  current: boolean;
  onPick: (range: TimeRange) => void;
}) {
  return (
    <button
      type="button"
      aria-pressed={current}
      className="flex w-full items-center justify-between rounded px-1.5 py-1 text-left text-[13px] tabular-nums hover:bg-raised aria-pressed:font-medium"
      onClick={() => onPick(range)}
    >
      {capital(describeRange(range))}
      {current ? <Icon name="check" size={13} className="text-accent" /> : null}
    </button>
  );
}

function CopyPaste({ range, onPaste }: { range: TimeRange; onPaste: (range: TimeRange) => void }) {
  const [said, setSaid] = useState("");
  const copy = () =>
    copyRange(range).then(
      () => setSaid("copied"),
      () => setSaid("the browser refused the clipboard"),
    );
  const paste = () =>
    pastedRange().then(
      (pasted) => (pasted ? onPaste(pasted) : setSaid("the clipboard holds no range")),
      () => setSaid("the browser refused the clipboard"),
    );
  return (
    <>
      <button type="button" className="rl-button" title="Copy the range (t c)" onClick={() => void copy()}>
        Copy
      </button>
      <button type="button" className="rl-button" title="Paste a range (t v)" onClick={() => void paste()}>
        Paste
      </button>
      <span role="status" className="text-xs text-muted">
        {said}
      </span>
    </>
  );
}

/** Puts a range on the clipboard, in the form that Grafana's own dashboards paste. */
export async function copyRange({ from, to }: TimeRange): Promise<void> {
  await navigator.clipboard.writeText(JSON.stringify({ from, to }));
}

/** The range on the clipboard, undefined where there is none. */
export async function pastedRange(): Promise<TimeRange | undefined> {
  try {
    const { from, to } = JSON.parse(await navigator.clipboard.readText()) as Partial<TimeRange>;
    const range = { from: String(from), to: String(to) };
    return resolveRange(range, Date.now()) ? range : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
