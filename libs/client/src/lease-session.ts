/**
 * A session of leases with one worker of this host. All leases of the session hold until `validUntilMs`, which each answered
 * renewal moves on; a renewal waits at the worker for revocations, so that one is heard of at once. When the worker does not
 * answer, or the connection breaks, nothing of the session holds any more.
 */
import { readFile } from "node:fs/promises";
import type { Clock } from "@ringlight/core";
import type { DirectServiceClient, LeasePagesRequest, LeasePagesResponse, PageUse } from "@ringlight/proto";
import { callUnary } from "@ringlight/rpc";

/** Longest wait of a renewal at the worker, milliseconds. */
const WAIT_MS = 500;
/** A session that nobody read by for this long ends, milliseconds. */
const IDLE_MS = 5_000;
const OPEN_DEADLINE_MS = 1_000;
const LEASE_DEADLINE_MS = 5_000;
const CLOSE_DEADLINE_MS = 500;

/** What the holder of the leases does. */
export interface LeaseHolder {
  /** Stops serving an object; all of the session's where the path is empty. */
  revoke(session: LeaseSession, path: string): void;
  /** Uses since the last call. */
  takeUses(session: LeaseSession): PageUse[];
  /** Called with each renewal. */
  tidy(): void;
  /** The session has ended, of itself or because the worker failed; nothing of it may be served any more. */
  ended(session: LeaseSession, hasFailed: boolean): void;
}

/** One session. */
export class LeaseSession {
  readonly workerId: string;
  /** Leases hold until then on the monotonic clock. */
  validUntilMs: number;
  /** When somebody last read by the session; set by the holder. */
  usedAtMs: number;
  /** Page files in a row that could not be opened; counted by the holder. */
  unreadable = 0;
  readonly #client: DirectServiceClient;
  readonly #id: string;
  readonly #termMs: number;
  readonly #clock: Clock;
  readonly #holder: LeaseHolder;
  readonly #closing = new AbortController();
  #revision = 0;

  private constructor(
    client: DirectServiceClient,
    answer: { readonly session: string; readonly termMs: number; readonly workerId: string },
    sentMs: number,
    clock: Clock,
    holder: LeaseHolder,
  ) {
    this.#client = client;
    this.#id = answer.session;
    this.#termMs = answer.termMs;
    this.workerId = answer.workerId;
    this.validUntilMs = sentMs + answer.termMs;
    this.usedAtMs = sentMs;
    this.#clock = clock;
    this.#holder = holder;
  }

  /** Begins a session, by reading a file that the worker names. @throws what the worker says, or the file system's error */
  static async open(client: DirectServiceClient, clock: Clock, holder: LeaseHolder): Promise<LeaseSession> {
    const control = { deadlineMs: OPEN_DEADLINE_MS };
    const { proofPath } = await callUnary(client, "openLeases", { proof: Buffer.alloc(0) }, control);
    const proof = await readFile(proofPath);
    const sentMs = clock.monotonicMs();
    const answer = await callUnary(client, "openLeases", { proof }, control);
    const session = new LeaseSession(client, answer, sentMs, clock, holder);
    void session.#renew();
    return session;
  }

  get closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /**
   * True when a revocation came since the answer was made. To be asked at the moment in which the answer is believed: answer
   * and revocation may come in one read, and the revocation is then dealt with between two steps of whoever awaits the answer.
   */
  hasOvertaken(answer: Pick<LeasePagesResponse, "revision">): boolean {
    return this.closed || answer.revision < this.#revision;
  }

  /** Leases pages; undefined when the answer was overtaken by a revocation. @throws what the worker says */
  async lease(ask: Omit<LeasePagesRequest, "session">): Promise<LeasePagesResponse | undefined> {
    const { signal } = this.#closing;
    const request = { ...ask, session: this.#id };
    const answer = await callUnary(this.#client, "leasePages", request, { signal, deadlineMs: LEASE_DEADLINE_MS });
    return this.hasOvertaken(answer) ? undefined : answer;
  }

  /** Gives all leases back. Idempotent; never rejects. */
  async close(): Promise<void> {
    if (this.closed) return;
    const uses = this.#holder.takeUses(this);
    this.#end(false);
    const request = { session: this.#id, uses };
    await callUnary(this.#client, "closeLeases", request, { deadlineMs: CLOSE_DEADLINE_MS }).catch(() => {});
  }

  async #renew(): Promise<void> {
    const { signal } = this.#closing;
    try {
      while (!this.closed) {
        const sentMs = this.#clock.monotonicMs();
        if (sentMs - this.usedAtMs > IDLE_MS) {
          await this.close();
          return;
        }
        const uses = this.#holder.takeUses(this);
        const request = { session: this.#id, revision: this.#revision, uses, waitMs: WAIT_MS };
        const control = { signal, deadlineMs: this.#termMs };
        const { revocations } = await callUnary(this.#client, "renewLeases", request, control);
        for (const { revision, path } of revocations) {
          this.#revision = Math.max(this.#revision, revision);
          this.#holder.revoke(this, path);
        }
        this.validUntilMs = sentMs + this.#termMs;
        this.#holder.tidy();
      }
    } catch {
      // Whatever it was: without a worker that answers nothing holds.
      this.#end(true);
    }
  }

  #end(hasFailed: boolean): void {
    if (this.closed) return;
    this.validUntilMs = 0;
    this.#closing.abort();
    this.#holder.ended(this, hasFailed);
  }
}
