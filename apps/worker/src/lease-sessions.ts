/**
 * Who holds leases on this worker's objects, and how they are taken back.
 *
 * A session is one holder: a client or a worker of the same host. All its leases hold for one term from the moment when its
 * last answered renewal was sent; this side counts from the moment when it came, which is later. So a lease that is not
 * acknowledged as gone is surely gone a term after the last renewal. A holder waits for revocations by a renewal that is
 * answered early when there is one, and acknowledges it with the next.
 *
 * Whoever changes an object calls revoke() after the new version is what head() says and before the change is
 * acknowledged: leases given before are gone when it resolves, and those given later are of the new version.
 */
import { randomBytes } from "node:crypto";
import { type Clock, formatPath, RinglightError } from "@ringlight/core";

/** How long a lease holds, milliseconds: the longest that a change can be held up by a holder that froze. */
export const LEASE_TERM_MS = 2_000;
/** A session that was not renewed for this long is forgotten, milliseconds. */
const FORGET_MS = 60_000;
/** Objects that one session may hold; the longest held is revoked for one more. */
const MAX_OBJECTS = 100_000;
/** Revocations that wait for one session; beyond that all its leases are revoked at once. */
const MAX_PENDING = 1_000;

/** A revocation that the holder has not acknowledged yet; without a path it is of all objects. */
export interface PendingRevocation {
  readonly revision: number;
  readonly path: string;
}

interface AckWaiter {
  readonly revision: number;
  readonly done: () => void;
}

/** One holder. */
export class LeaseSession {
  readonly id = randomBytes(16).toString("hex");
  /** Revocations made so far. */
  revision = 0;
  validUntilMs: number;
  /** Paths of the objects that it holds, longest held first. */
  readonly objects = new Set<string>();
  pending: PendingRevocation[] = [];
  readonly waiters = new Set<AckWaiter>();
  /** Ends the wait of a renewal. */
  wake: (() => void) | undefined;

  constructor(nowMs: number) {
    this.validUntilMs = nowMs + LEASE_TERM_MS;
  }

  acknowledge(revision: number): void {
    this.pending = this.pending.filter((revocation) => revocation.revision > revision);
    for (const waiter of this.waiters) {
      if (waiter.revision > revision) continue;
      this.waiters.delete(waiter);
      waiter.done();
    }
  }
}

/** All sessions of a worker. */
export class LeaseSessions {
  readonly #clock: Clock;
  readonly #sessions = new Map<string, LeaseSession>();
  readonly #holders = new Map<string, Set<LeaseSession>>();
  /**
   * Revocations that are not acknowledged yet, by path ("" for all objects). Who is asked to give a lease back is no holder
   * any more, but may go on serving from it: whoever writes the object meanwhile waits for these, too.
   */
  readonly #outstanding = new Map<string, Set<Promise<void>>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Begins a session. */
  open(): LeaseSession {
    const nowMs = this.#clock.monotonicMs();
    for (const session of this.#sessions.values()) {
      if (session.validUntilMs + FORGET_MS < nowMs) this.close(session.id);
    }
    const session = new LeaseSession(nowMs);
    this.#sessions.set(session.id, session);
    return session;
  }

  /** @throws RL_CONFLICT for a session that is not known (any more): its holder begins anew */
  get(id: string): LeaseSession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw new RinglightError("RL_CONFLICT", "this worker does not know the lease session");
    return session;
  }

  /**
   * Notes that the session is about to be given a lease. To be called before the object is looked at: a revocation that
   * comes between is then a later one than the revision returned, by which the holder knows that what it got is stale.
   */
  hold(session: LeaseSession, path: string): number {
    session.objects.delete(path);
    session.objects.add(path);
    let holders = this.#holders.get(path);
    if (holders === undefined) {
      holders = new Set();
      this.#holders.set(path, holders);
    }
    holders.add(session);
    const { revision } = session;
    if (session.objects.size > MAX_OBJECTS) {
      const [longest] = session.objects;
      if (longest !== undefined) void this.#revokeOf(session, longest);
    }
    return revision;
  }

  /** Takes note of a renewal, and waits at most `waitMs` for something to revoke. */
  async renew(
    session: LeaseSession,
    acknowledged: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<PendingRevocation[]> {
    const cameMs = this.#clock.monotonicMs();
    session.acknowledge(acknowledged);
    if (session.pending.length === 0 && waitMs > 0) {
      session.wake?.();
      const woken = Promise.withResolvers<void>();
      session.wake = woken.resolve;
      const over = new AbortController();
      const timeout = this.#clock.sleep(waitMs, AbortSignal.any([signal, over.signal])).catch(() => {});
      await Promise.race([woken.promise, timeout]);
      over.abort();
      if (session.wake === woken.resolve) session.wake = undefined;
    }
    session.validUntilMs = Math.max(session.validUntilMs, cameMs + LEASE_TERM_MS);
    return session.pending;
  }

  /** Resolves when nobody serves the object from a lease that was given before the call. */
  async revoke(mount: string, key: string): Promise<void> {
    // Who holds something has a session, and what a session that has ended gave back is waited for.
    if (this.#sessions.size === 0 && this.#outstanding.size === 0) return;
    const path = formatPath({ mount, key });
    for (const session of [...(this.#holders.get(path) ?? [])]) void this.#revokeOf(session, path);
    await Promise.all([path, ""].flatMap((revoked) => [...(this.#outstanding.get(revoked) ?? [])]));
  }

  /** Takes all leases back: for a change of the ring, after which others may own the objects. */
  async revokeAll(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map((session) => this.#revokeOf(session, "")));
  }

  /** Ends a session: the holder said that it serves nothing from its leases any more, or was silent for long. */
  close(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    for (const path of session.objects) this.#drop(session, path);
    session.acknowledge(Number.POSITIVE_INFINITY);
    session.wake?.();
  }

  #revokeOf(session: LeaseSession, path: string): Promise<void> {
    for (const gone of path === "" ? [...session.objects] : [path]) this.#drop(session, gone);
    const revision = ++session.revision;
    if (session.pending.length < MAX_PENDING) session.pending.push({ revision, path });
    else session.pending = [{ revision, path: "" }];
    session.wake?.();
    const leftMs = session.validUntilMs - this.#clock.monotonicMs();
    if (leftMs <= 0) return Promise.resolve();
    const over = new AbortController();
    const acknowledged = new Promise<void>((done) => {
      session.waiters.add({ revision, done });
    });
    const given = Promise.race([acknowledged, this.#clock.sleep(leftMs, over.signal).catch(() => {})]).finally(() => {
      over.abort();
      outstanding.delete(given);
      if (outstanding.size === 0 && this.#outstanding.get(path) === outstanding) this.#outstanding.delete(path);
    });
    const outstanding = this.#outstanding.get(path) ?? new Set();
    this.#outstanding.set(path, outstanding.add(given));
    return given;
  }

  #drop(session: LeaseSession, path: string): void {
    session.objects.delete(path);
    const holders = this.#holders.get(path);
    holders?.delete(session);
    if (holders?.size === 0) this.#holders.delete(path);
  }
}
