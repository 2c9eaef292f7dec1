/**
 * The way of a read through the cluster: this worker is the entry; the ring names the owner of each segment; the bytes
 * come from this worker's own pages or are relayed from the owner. When a source does not answer or breaks off, the next
 * one carries on at the byte where it stopped, pinned to the same version: the next owners of the segment by preference,
 * and at last this worker itself, which asks the UFS. A read fails only when the UFS fails.
 */
import {
  type ByteRange,
  type Clock,
  type MissReason,
  type ObjectMeta,
  RinglightError,
  segmentKey,
  segmentOf,
  type WorkerRecord,
} from "@ringlight/core";
import type { ReadPlan } from "@ringlight/s3";
import { HOT_REPLICAS, HotSegments } from "./hot-segments.ts";
import type { ObjectRead, ObjectReader, ReadContext } from "./object-reader.ts";
import { type PeerCall, type PeerClient, PeerFailure } from "./peer-client.ts";
import { mergeStatus, type PeerAnswer } from "./peer-wire.ts";
import type { RingKeeper } from "./ring-keeper.ts";

/** Owners of a segment that are tried before this worker itself. */
const OWNERS_TRIED = 3;
/** How long a worker that did not answer is passed over, milliseconds. */
const SUSPECT_MS = 1_000;
/** The same for a worker without a lease; a new lease ends it. */
const SUSPECT_LEASELESS_MS = 30_000;
/** Sources that may break off within one read. */
const MAX_SOURCES = 16;

/** Options of the router. */
export interface RouterOptions {
  readonly workerId: string;
  readonly ring: RingKeeper;
  readonly objects: ObjectReader;
  readonly peers: PeerClient;
  readonly clock: Clock;
  readonly segmentBytes: number;
  /** Replicas of a mount. @throws RL_NO_SUCH_MOUNT */
  readonly replicasOf: (mount: string) => number;
  readonly onRelayed: (bytes: number) => void;
  readonly onFallback: (failure: PeerFailure) => void;
}

interface Candidate {
  /** undefined: this worker itself. */
  readonly peer: WorkerRecord | undefined;
  readonly coldReason?: MissReason | undefined;
  /** The first owner of a hot segment, for those that are read beside it. */
  readonly fillFrom?: string | undefined;
  /** The worker that held the segment before the ring changed. */
  readonly handOverFrom?: string | undefined;
}

/** Routes reads. */
export class Router {
  readonly #options: RouterOptions;
  /** Segments whose owners asked for help. */
  readonly #hot: HotSegments;
  /** Workers that are passed over, and whether they had a lease when they failed. */
  readonly #suspects = new Map<string, { readonly untilMs: number; readonly hasLease: boolean }>();

  constructor(options: RouterOptions) {
    this.#options = options;
    this.#hot = new HotSegments(options.clock);
  }

  /** Metadata of the current version, from the owner of the first segment. */
  async head(mount: string, key: string, context: ReadContext): Promise<ObjectMeta> {
    return this.#first(mount, key, 0, context, (candidate) =>
      candidate.peer === undefined
        ? this.#options.objects.head(mount, key)
        : this.#options.peers.head(candidate.peer, mount, key, this.#call(context)),
    );
  }

  /** The worker that is asked first for a byte of an object; undefined for this one. */
  elsewhere(mount: string, key: string, offset: number): WorkerRecord | undefined {
    return this.#candidates(mount, key, segmentOf(offset, this.#options.segmentBytes))[0]?.peer;
  }

  /** Begins a read. The first bytes are there when this returns. @throws the UFS's errors, RL_NO_SUCH_MOUNT, RL_NOT_FOUND */
  async open(mount: string, key: string, plan: ReadPlan, context: ReadContext): Promise<ObjectRead> {
    const read = await this.#first(mount, key, 0, context, async (candidate) => {
      if (candidate.peer === undefined) {
        return this.#options.objects.open(mount, key, plan, as(context, candidate), true);
      }
      const ask = { plan, ...detailsOf(candidate) };
      const { answer, body } = await this.#options.peers.read(candidate.peer, mount, key, ask, this.#call(context));
      this.#noteAnswer(answer, segmentKey(mount, key, 0), context);
      if (answer.meta === undefined) throw new PeerFailure(candidate.peer.id, "its answer lacks metadata");
      if (answer.outcome !== "ok") {
        await body.return?.();
        return { outcome: answer.outcome, meta: answer.meta };
      }
      return {
        outcome: "ok" as const,
        meta: answer.meta,
        ...(answer.range && { range: answer.range }),
        ...(answer.served && { served: answer.served }),
        partial: answer.partial === true,
        body: this.#counted(body),
      };
    });
    if (read.outcome !== "ok" || read.range === undefined || read.whole !== undefined) return read;
    return { ...read, served: read.range, body: this.#follow(mount, key, read.meta, read.range, read, context) };
  }

  /** Begins a read of exactly the given version. @throws RL_VERSION_CHANGED when it is neither cached nor current */
  openPinned(
    mount: string,
    key: string,
    pinned: Pick<ObjectMeta, "version" | "sizeBytes">,
    range: ByteRange,
    context: ReadContext,
  ): AsyncIterableIterator<Uint8Array> {
    return this.#follow(mount, key, pinned, range, undefined, context);
  }

  /** Yields the range's bytes, segment by segment, from whoever has them. */
  async *#follow(
    mount: string,
    key: string,
    pinned: Pick<ObjectMeta, "version" | "sizeBytes">,
    range: ByteRange,
    begun: { readonly served?: ByteRange; readonly body: AsyncIterable<Uint8Array> } | undefined,
    context: ReadContext,
  ): AsyncGenerator<Uint8Array> {
    const { segmentBytes } = this.#options;
    let at = range.start;
    let body = begun?.served ? begun.body : undefined;
    let end = begun?.served?.end ?? -1;
    let sources = 0;
    while (at <= range.end) {
      if (body === undefined) {
        const segment = segmentOf(at, segmentBytes);
        end = Math.min(range.end, (segment + 1) * segmentBytes - 1);
        body = await this.#openSegment(mount, key, pinned, segment, { start: at, end }, context);
      }
      try {
        for await (const chunk of body) {
          at += chunk.length;
          yield chunk;
        }
        if (at <= end) throw new RinglightError("RL_INTERNAL", `a source ended at byte ${at}, before ${end}`);
      } catch (error) {
        if (!(error instanceof PeerFailure) || context.signal.aborted || ++sources >= MAX_SOURCES) throw error;
        this.#failed(error, context);
      }
      body = undefined;
    }
  }

  #openSegment(
    mount: string,
    key: string,
    pinned: Pick<ObjectMeta, "version" | "sizeBytes">,
    segment: number,
    range: ByteRange,
    context: ReadContext,
  ): Promise<AsyncIterable<Uint8Array>> {
    return this.#first(mount, key, segment, context, async (candidate) => {
      if (candidate.peer === undefined) {
        return this.#options.objects.openPinned(mount, key, pinned, range, as(context, candidate));
      }
      const ask = {
        pinned: { version: pinned.version, sizeBytes: pinned.sizeBytes, range },
        ...detailsOf(candidate),
      };
      const { answer, body } = await this.#options.peers.read(candidate.peer, mount, key, ask, this.#call(context));
      this.#noteAnswer(answer, segmentKey(mount, key, segment), context);
      return this.#counted(body);
    });
  }

  /** Asks one candidate after the other until one answers. Anything but a PeerFailure is an answer. */
  async #first<T>(
    mount: string,
    key: string,
    segment: number,
    context: ReadContext,
    ask: (candidate: Candidate) => Promise<T>,
  ): Promise<T> {
    let failure: unknown;
    for (const candidate of this.#candidates(mount, key, segment)) {
      context.signal.throwIfAborted();
      try {
        return await ask(candidate);
      } catch (error) {
        if (!(error instanceof PeerFailure)) throw error;
        failure = error;
        this.#failed(error, context);
      }
    }
    throw new RinglightError("RL_NO_WORKERS", `no worker answered for /${mount}/${key}`, { cause: failure });
  }

  /** Whom to ask for a segment, in order. Always ends with this worker itself. */
  #candidates(mount: string, key: string, segment: number): Candidate[] {
    const { workerId, ring, peers, clock, replicasOf } = this.#options;
    const place = segmentKey(mount, key, segment);
    const isHot = this.#hot.has(place);
    const replicas = Math.max(replicasOf(mount), isHot ? HOT_REPLICAS : 1);
    const owners = ring.ring.owners(place, Math.max(OWNERS_TRIED, replicas));
    const now = clock.monotonicMs();
    const preferred: Candidate[] = [];
    const rest: Candidate[] = [];
    let self = false;
    owners.forEach((id, rank) => {
      const isReplica = rank < replicas;
      const coldReason = isReplica ? undefined : ("owner_down" as const);
      const fillFrom = isHot && isReplica && rank > 0 ? owners[0] : undefined;
      if (id === workerId) {
        self = true;
        const reason =
          coldReason ?? (rank === 0 && ring.movedTo(workerId, place) ? ("rebalanced" as const) : undefined);
        const handOverFrom = isReplica ? ring.handOverFrom(workerId, place, replicas) : undefined;
        const candidate = {
          peer: undefined,
          ...detailsOf({ peer: undefined, coldReason: reason, fillFrom, handOverFrom }),
        };
        if (isReplica) preferred.unshift(candidate);
        else rest.push(candidate);
        return;
      }
      const peer = ring.worker(id) ?? peers.recentlyHeard(id);
      if (peer === undefined || this.#isSuspect(id, now)) return;
      const candidate = { peer, ...detailsOf({ peer, coldReason, fillFrom }) };
      if (isReplica) preferred.push(candidate);
      else rest.push(candidate);
    });
    if (preferred.length > 1 && preferred[0]?.peer !== undefined) this.#preferLessLoaded(preferred);
    const order = [...preferred, ...rest];
    // Behind this worker nobody needs to be asked: it answers from the UFS.
    const own = order.findIndex((candidate) => candidate.peer === undefined);
    if (own >= 0) return order.slice(0, own + 1);
    return self
      ? order
      : [...order, { peer: undefined, ...(owners.length > 0 && { coldReason: "owner_down" as const }) }];
  }

  /** Of two replicas chosen at random, the one with fewer questions on their way comes first (Mitzenmacher 2001). */
  #preferLessLoaded(replicas: Candidate[]): void {
    const load = (at: number) => this.#options.peers.inFlight(replicas[at]?.peer?.id ?? "");
    const one = Math.floor(Math.random() * replicas.length);
    const other = (one + 1 + Math.floor(Math.random() * (replicas.length - 1))) % replicas.length;
    const [chosen] = replicas.splice(load(other) < load(one) ? other : one, 1);
    if (chosen !== undefined) replicas.unshift(chosen);
  }

  #noteAnswer(answer: PeerAnswer, place: string, context: ReadContext): void {
    if (answer.status) mergeStatus(context.status, answer.status);
    if (answer.hot === true) this.#hot.add(place);
  }

  #failed(failure: PeerFailure, context: ReadContext): void {
    context.status.fellBack = true;
    const hasLease = this.#options.ring.view.workers.has(failure.workerId);
    const untilMs = this.#options.clock.monotonicMs() + (hasLease ? SUSPECT_MS : SUSPECT_LEASELESS_MS);
    this.#suspects.set(failure.workerId, { untilMs, hasLease });
    this.#options.onFallback(failure);
  }

  #isSuspect(workerId: string, nowMs: number): boolean {
    const suspect = this.#suspects.get(workerId);
    if (suspect === undefined) return false;
    const isOver = suspect.untilMs <= nowMs || (!suspect.hasLease && this.#options.ring.view.workers.has(workerId));
    if (isOver) this.#suspects.delete(workerId);
    return !isOver;
  }

  #call(context: ReadContext): PeerCall {
    return { signal: context.signal, epoch: this.#options.ring.ring.epoch, traceparent: context.traceparent };
  }

  async *#counted(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of body) {
      this.#options.onRelayed(chunk.length);
      yield chunk;
    }
  }
}

/** The context of a read at a candidate. */
function as(context: ReadContext, candidate: Candidate): ReadContext {
  return { ...context, ...detailsOf(candidate) };
}

function detailsOf({ coldReason, fillFrom, handOverFrom }: Candidate): {
  coldReason?: MissReason;
  fillFrom?: string;
  handOverFrom?: string;
} {
  return {
    ...(coldReason && { coldReason }),
    ...(fillFrom !== undefined && { fillFrom }),
    ...(handOverFrom !== undefined && { handOverFrom }),
  };
}
