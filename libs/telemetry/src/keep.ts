/**
 * Which work becomes spans, decided when it is done: what failed, what was slow, what missed, and what somebody asked for.
 * A fast hit becomes none unless its trace is sampled, and then costs nothing.
 */

/** The rules of one process. */
export interface KeepRules {
  /** Share of the traces that begin here which is kept whatever happens, from 0 to 1. */
  readonly ratio: number;
  /** Work that takes as long is kept, milliseconds. */
  readonly slowMs: number;
  /** Reads that missed are kept when they took as long, milliseconds; 0 keeps all of them. */
  readonly missMs: number;
}

const DEFAULTS: KeepRules = { ratio: 0, slowMs: 100, missMs: 0 };

let rules: KeepRules = DEFAULTS;

/** Sets the rules; what is left out is as by default. */
export function setKeepRules(some: Partial<KeepRules>): void {
  rules = { ...DEFAULTS, ...some };
}

/** What is known of work that is done. */
export interface DoneWork {
  readonly durationMs: number;
  readonly failed: boolean;
  /** It missed, waited for another's miss, or fell back to another source. */
  readonly missed: boolean;
  /** Its trace is kept whatever happens. */
  readonly sampled: boolean;
}

/** True for work that becomes a span. */
export function isKept({ durationMs, failed, missed, sampled }: DoneWork): boolean {
  return failed || sampled || durationMs >= rules.slowMs || (missed && durationMs >= rules.missMs);
}

/** Work that takes as long is kept, milliseconds. */
export function slowMs(): number {
  return rules.slowMs;
}

/** True when every read that missed is kept. */
export function keepsAllMisses(): boolean {
  return rules.missMs === 0;
}
