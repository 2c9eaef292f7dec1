/**
 * Objects that another worker of this host owns, served from its page files instead of being relayed: this worker is a
 * holder of leases like any client. What is not leased yet goes the general way, to the owner, while a lease is asked for
 * behind it, so that the next request finds it. Misses stay the owner's; it is told of the hits, and alone counts them.
 */
import { readSync } from "node:fs";
import { type LeasedObject, type LeasedPage, LeasedPages } from "@ringlight/client";
import {
  type Clock,
  formatPath,
  type ObjectMeta,
  type PageRef,
  parsePath,
  RecentMap,
  RinglightError,
  segmentKey,
} from "@ringlight/core";
import { DirectServiceClient } from "@ringlight/proto";
import { hashKey } from "@ringlight/ring";
import { ClientPool } from "@ringlight/rpc";
import type { MountTable } from "./mount-table.ts";
import type { RingKeeper } from "./ring-keeper.ts";

/** Page files of siblings that are kept open. */
const OPEN_FILES = 1024;
/** Pages that one miss asks for: the one that was missed and those behind it. */
const PAGES_AHEAD = 8;
/** After a question for a lease the same is not asked again for this long, milliseconds. */
const ASK_AGAIN_MS = 100;
/** Questions remembered. */
const MAX_ASKED = 4096;
/** Places of the memory of what was asked for once; a quarter of a megabyte. */
const SEEN_PLACES = 1 << 16;

/** A sibling's object, under a lease. */
export interface SiblingObject {
  readonly meta: ObjectMeta;
  /** Id of the worker that owns the object. */
  readonly ownerId: string;
  /** The version may be believed until then on the monotonic clock, and no longer than peek() goes on naming the object. */
  readonly freshUntilMs: number;
  /** True if the page's file is known; if not, it is asked for in the background. */
  has(index: number): boolean;
  /** Opens a page. undefined: the general path. */
  open(index: number): PageRef | undefined;
  /** Tells the owner, which counts them, that `bytes` of an opened page are sent. */
  noteUse(page: PageRef, bytes: number): void;
}

/** Options of SiblingView. */
export interface SiblingViewOptions {
  readonly workerId: string;
  readonly hostname: string;
  readonly token: string | undefined;
  readonly ring: RingKeeper;
  readonly mounts: MountTable;
  readonly clock: Clock;
  readonly segmentBytes: number;
}

/** What this worker may serve of its siblings' pages. */
export class SiblingView {
  readonly #options: SiblingViewOptions;
  readonly #clients: ClientPool<DirectServiceClient>;
  readonly #leases: LeasedPages;
  readonly #views = new WeakMap<LeasedObject, SiblingObject>();
  readonly #asked = new RecentMap<number>(MAX_ASKED);
  readonly #seen = new Uint32Array(SEEN_PLACES);

  constructor(options: SiblingViewOptions) {
    this.#options = options;
    this.#clients = new ClientPool(DirectServiceClient, { token: options.token });
    this.#leases = new LeasedPages({
      sourceOf: (path, segment) => this.#siblingOf(path, segment),
      segmentBytes: () => options.segmentBytes,
      clock: options.clock,
      openFileLimit: OPEN_FILES,
    });
  }

  /**
   * The object, if it is leased now; else a lease is asked for in the background, from the second time on: a lease costs as much
   * as relaying does, and much is asked for once only. Never waits, never throws.
   */
  peek(mount: string, key: string): SiblingObject | undefined {
    const path = formatPath({ mount, key });
    const leased = this.#leases.object(path);
    if (leased === undefined) {
      if (this.#sawBefore(path)) this.#want(path, 0, 0);
      return undefined;
    }
    let view = this.#views.get(leased);
    if (view === undefined) {
      view = this.#viewOf(leased);
      this.#views.set(leased, view);
    }
    return view;
  }

  /** Gives the leases back and closes the connections. Idempotent. */
  async close(): Promise<void> {
    await this.#leases.close();
    this.#clients.close();
  }

  #viewOf(leased: LeasedObject): SiblingObject {
    const leases = this.#leases;
    const lastPage = Math.max(0, Math.ceil(leased.meta.sizeBytes / leased.pageBytes) - 1);
    const want = (index: number) => this.#want(leased.path, index, Math.min(lastPage, index + PAGES_AHEAD - 1));
    return {
      meta: leased.meta,
      ownerId: leased.session.workerId,
      get freshUntilMs() {
        return leased.freshUntilMs;
      },
      has: (index) => {
        const isKnown = leased.pages.has(index);
        if (!isKnown) want(Math.max(0, index - 1));
        return isKnown;
      },
      open: (index) => {
        const page = leases.hold(leased, index);
        if (page === undefined) {
          want(index);
          return undefined;
        }
        return new SiblingPageRef(leases, page);
      },
      noteUse: (page, bytes) => {
        if (page instanceof SiblingPageRef) page.noteUse(bytes);
      },
    };
  }

  /** True if the path was asked for before. Two paths that share a place push each other out, which costs a relay each. */
  #sawBefore(path: string): boolean {
    const hash = hashKey(path) >>> 0;
    const place = hash % SEEN_PLACES;
    const isSeen = this.#seen[place] === hash;
    this.#seen[place] = hash;
    return isSeen;
  }

  #want(path: string, first: number, last: number): void {
    const name = `${first} ${path}`;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs < (this.#asked.get(name) ?? 0) || !this.#leases.mayLease(path)) return;
    this.#asked.set(name, nowMs + ASK_AGAIN_MS);
    void this.#leases.want(path, first, last);
  }

  /** The worker of this host that owns the segment; none where this worker does itself. */
  #siblingOf(path: string, segment: number): { readonly id: string; readonly client: DirectServiceClient } | undefined {
    const { ring, mounts, workerId, hostname } = this.#options;
    const { mount, key } = parsePath(path);
    const owners = ring.ring.owners(segmentKey(mount, key, segment), mounts.peek(mount)?.replicas ?? 1);
    if (owners.includes(workerId)) return undefined;
    for (const id of owners) {
      const record = ring.view.workers.get(id);
      if (record?.hostname === hostname) return { id, client: this.#clients.get(record.addresses.grpc) };
    }
    return undefined;
  }
}

/** A sibling's page in a reader's hands. */
class SiblingPageRef implements PageRef {
  readonly tier: string;
  readonly lengthBytes: number;
  readonly fd: number;
  readonly position: number;
  readonly #leases: LeasedPages;
  readonly #page: LeasedPage;
  #released = false;

  constructor(leases: LeasedPages, page: LeasedPage) {
    this.tier = page.tier;
    this.lengthBytes = page.lengthBytes;
    this.fd = page.fd;
    this.position = page.position;
    this.#leases = leases;
    this.#page = page;
  }

  read(offset: number, length: number): Buffer {
    if (this.#released) throw new RinglightError("RL_INTERNAL", "the page was read after it had been released");
    if (!(offset >= 0 && length >= 0 && offset + length <= this.lengthBytes)) {
      throw new RinglightError("RL_BAD_RANGE", `bytes ${offset} to ${offset + length} are not all within the page`);
    }
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    while (at < length) {
      const read = readSync(this.fd, bytes, at, length - at, this.position + offset + at);
      if (read === 0) {
        this.#leases.forget(this.#page);
        throw new RinglightError("RL_INTERNAL", "a sibling's page file is shorter than the page");
      }
      at += read;
    }
    return bytes;
  }

  noteUse(bytes: number): void {
    this.#leases.noteUse(this.#page, bytes);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#leases.release(this.#page);
  }
}
