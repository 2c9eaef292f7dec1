/** Bytes and durations as people write them. */
import { RinglightError } from "./errors.ts";

const BYTE_UNITS: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kb: 1e3,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1e6,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1e9,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1e12,
  tib: 1024 ** 4,
};

/** Parses "256MiB", "1.5 GB", "4096" (bytes). @throws RL_BAD_REQUEST naming the text. */
export function parseBytes(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text);
  const unit = match ? BYTE_UNITS[match[2]!.toLowerCase()] : undefined;
  if (!match || unit === undefined) {
    throw new RinglightError("RL_BAD_REQUEST", `"${text}" is not a number of bytes; write for example 256MiB or 10GB`);
  }
  return Math.round(Number(match[1]) * unit);
}

const BYTE_STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Formats bytes with a binary unit and at most one decimal: 1536 is "1.5 KiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (Math.abs(value) >= 1023.95 && step < BYTE_STEPS.length - 1) {
    value /= 1024;
    step++;
  }
  const text = step === 0 ? String(Math.round(value)) : value.toFixed(1).replace(/\.0$/, "");
  return `${text} ${BYTE_STEPS[step]}`;
}

const DURATION_UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

/** Parses "60s", "1.5h", "250ms", "2m" into milliseconds; a bare number is refused. @throws RL_BAD_REQUEST */
export function parseDuration(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*$/i.exec(text);
  if (!match) {
    throw new RinglightError("RL_BAD_REQUEST", `"${text}" is not a duration; write for example 250ms, 60s, 2m or 1h`);
  }
  return Number(match[1]) * DURATION_UNITS_MS[match[2]!.toLowerCase()]!;
}

/** Formats milliseconds: 1500 is "1.5 s", 90000 is "1.5 min". */
export function formatDuration(ms: number): string {
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${Number(ms.toFixed(ms < 10 ? 1 : 0))} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(1))} s`;
  if (ms < 3_600_000) return `${Number((ms / 60_000).toFixed(1))} min`;
  if (ms < 172_800_000) return `${Number((ms / 3_600_000).toFixed(1))} h`;
  return `${Number((ms / 86_400_000).toFixed(1))} d`;
}
