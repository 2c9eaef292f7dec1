/** Whether a directory takes writes. */
import type { Clock } from "@ringlight/core";
import { errnoOf } from "./file-io.ts";

const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 60_000;

/**
 * After a failed write a directory is left alone for a while, twice as long each time, and is tried again by the first
 * write after that. Reads go on.
 */
export class DiskHealth {
  readonly #clock: Clock;
  #backoffMs = 0;
  #retryAtMs = 0;
  #error: string | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The last error, while the directory has not taken a write since. */
  get error(): string | undefined {
    return this.#error;
  }

  /** True if a write may be tried now. */
  get writable(): boolean {
    return this.#error === undefined || this.#clock.monotonicMs() >= this.#retryAtMs;
  }

  /** Notes a failure; true if it is the first after a success. */
  fail(error: unknown): boolean {
    const first = this.#error === undefined;
    const text = error instanceof Error ? error.message : String(error);
    this.#error = errnoOf(error) === "ENOSPC" ? `the file system is full (${text})` : text;
    this.#backoffMs = Math.min(LONGEST_BACKOFF_MS, Math.max(FIRST_BACKOFF_MS, this.#backoffMs * 2));
    this.#retryAtMs = this.#clock.monotonicMs() + this.#backoffMs;
    return first;
  }

  /**
   * Notes a success; true if it is the first after a failure. One that was on its way when another write failed says
   * nothing: at the edge of a full file system small writes succeed between large ones that fail.
   */
  succeed(): boolean {
    if (!this.writable) return false;
    const recovered = this.#error !== undefined;
    this.#error = undefined;
    this.#backoffMs = 0;
    return recovered;
  }
}
