/**
 * Objects that are read past their worker: under a lease, straight from the page files of workers on the same host. Used by
 * clients, and by workers for what a sibling on their host owns. Reading is synchronous and never asks anybody; what is not
 * leased, or not any more, is not read, and the caller goes the way of all reads.
 */
import { type Clock, type ObjectMeta, RinglightError, segmentOf } from "@ringlight/core";
import type { Native } from "@ringlight/native";
import type { DirectServiceClient, LeasePagesResponse, PageUse } from "@ringlight/proto";
import { type LeaseHolder, LeaseSession } from "./lease-session.ts";
import { LeasedPage, OpenPages } from "./leased-page.ts";

/** Objects with a lease; the one leased longest ago goes first. */
const MAX_OBJECTS = 65_536;
/** Pages whose place is known. */
const MAX_PAGES = 500_000;
const DEFAULT_OPEN_FILES = 512;
/** After a failure a worker is not asked for a session for this long, milliseconds; after a refusal, longer. */
const RETRY_MS = 1_000;
const REFUSED_MS = 60_000;
/** Page files in a row that could not be opened after which their worker's files are taken for out of reach. */
const MAX_UNREADABLE = 8;
/** Pages in one lease. */
const PAGES_AT_ONCE = 256;

/** A worker on this host. */
export interface LeaseSource {
  readonly id: string;
  readonly client: DirectServiceClient;
}

/** Options of LeasedPages. */
export interface LeasedPagesOptions {
  /** The worker on this host that owns a segment of the object, if there is one. */
  readonly sourceOf: (path: string, segment: number) => LeaseSource | undefined;
  readonly segmentBytes: () => number;
  readonly clock: Clock;
  /** Page files kept open; 512 if left out. */
  readonly openFileLimit?: number | undefined;
  /** The addon, where page files may be mapped. */
  readonly native?: Native | undefined;
}

/** An object under a lease. */
export interface LeasedObject {
  readonly path: string;
  readonly meta: ObjectMeta;
  readonly pageBytes: number;
  readonly session: LeaseSession;
  /** The version may be believed until then, and while the session holds. */
  freshUntilMs: number;
  readonly pages: Map<number, LeasedPage>;
}

interface Opened {
  readonly opening: Promise<LeaseSession | undefined>;
  current: LeaseSession | undefined;
}

/** Leases and what is read by them. */
export class LeasedPages implements LeaseHolder {
  readonly #options: LeasedPagesOptions;
  readonly #files: OpenPages;
  readonly #objects = new Map<string, LeasedObject>();
  readonly #sessions = new Map<string, Opened>();
  readonly #notBefore = new Map<string, number>();
  readonly #wanted = new Map<string, Promise<void>>();
  /** Pages read since the last report. */
  readonly #used = new Map<LeaseSession, Set<LeasedPage>>();
  #pages = 0;
  #closed = false;

  constructor(options: LeasedPagesOptions) {
    this.#options = options;
    this.#files = new OpenPages(options.openFileLimit ?? DEFAULT_OPEN_FILES, options.native);
  }

  /** Number of page files that are open. */
  get openFiles(): number {
    return this.#files.size;
  }

  /** True while there is a session, or one is being opened. */
  get hasSessions(): boolean {
    return this.#sessions.size > 0;
  }

  /** The object, while its lease holds. */
  object(path: string): LeasedObject | undefined {
    const object = this.#objects.get(path);
    if (object === undefined) return undefined;
    const nowMs = this.#options.clock.monotonicMs();
    if (nowMs >= object.freshUntilMs || nowMs >= object.session.validUntilMs) return undefined;
    object.session.usedAtMs = nowMs;
    return object;
  }

  /** True if the object was leased, whether the lease still holds or has run out. */
  wasLeased(path: string): boolean {
    return this.#objects.has(path);
  }

  /** Fills `target` with the object's bytes from `offset` on; false, and nothing of use in it, where one of the pages is not here. */
  readInto(object: LeasedObject, offset: number, target: Buffer): boolean {
    const { pageBytes, pages } = object;
    const last = Math.floor((offset + target.length - 1) / pageBytes);
    // What another way serves is no use of the pages that were here.
    for (let index = Math.floor(offset / pageBytes) + 1; index <= last; index++) if (!pages.has(index)) return false;
    for (let at = 0; at < target.length; ) {
      const index = Math.floor((offset + at) / pageBytes);
      const page = pages.get(index);
      if (page === undefined) return false;
      const within = offset + at - index * pageBytes;
      const length = Math.min(target.length - at, pageBytes - within);
      if (!this.#files.read(page, within, target, at, length)) {
        this.#unreadable(object, page);
        return false;
      }
      this.noteUse(page, length);
      at += length;
    }
    return true;
  }

  /** A page with its file open, held until release() is called; undefined where it is not here. */
  hold(object: LeasedObject, index: number): LeasedPage | undefined {
    const page = object.pages.get(index);
    if (page === undefined) return undefined;
    if (this.#files.descriptor(page) < 0) {
      this.#unreadable(object, page);
      return undefined;
    }
    this.#files.hold(page);
    return page;
  }

  release(page: LeasedPage): void {
    this.#files.release(page);
  }

  /** Counts a use, to be reported to the page's worker. */
  noteUse(page: LeasedPage, bytes: number): void {
    page.usedBytes += bytes;
    if (page.uses++ > 0) return;
    const used = this.#used.get(page.session);
    if (used === undefined) this.#used.set(page.session, new Set([page]));
    else used.add(page);
  }

  /** Reads the page by its file no more, as when that turned out to be damaged. */
  forget(page: LeasedPage): void {
    const pages = this.#objects.get(page.object)?.pages;
    if (pages?.get(page.index) !== page) return;
    pages.delete(page.index);
    this.#pages--;
    this.#files.drop(page);
  }

  /** Asks for a lease on the object, and for the places of its pages from `first` to `last`. Never rejects. */
  want(path: string, first: number, last: number): Promise<void> {
    if (this.#closed) return Promise.resolve();
    const name = `${first}-${last}${path}`;
    let wanted = this.#wanted.get(name);
    if (wanted === undefined) {
      wanted = this.#lease(path, first, last)
        .catch(() => {})
        .finally(() => this.#wanted.delete(name));
      this.#wanted.set(name, wanted);
    }
    return wanted;
  }

  /** True if a worker on this host owns the object's first segment and may be asked for a lease now. */
  mayLease(path: string): boolean {
    const source = this.#options.sourceOf(path, 0);
    return source !== undefined && this.#mayAsk(source.id);
  }

  /** Gives all leases back and closes all files that nobody holds. Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#sessions.values()].map(async ({ opening }) => (await opening)?.close()));
    this.#files.close();
  }

  revoke(session: LeaseSession, path: string): void {
    const paths = path === "" ? [...this.#objects.keys()] : [path];
    for (const each of paths) {
      const object = this.#objects.get(each);
      if (object?.session === session) this.#drop(object);
    }
  }

  takeUses(session: LeaseSession): PageUse[] {
    const used = this.#used.get(session);
    if (used === undefined) return [];
    this.#used.delete(session);
    return [...used].map((page) => {
      const { object: path, version, index, uses: count, usedBytes: bytes, tier } = page;
      page.uses = 0;
      page.usedBytes = 0;
      return { path, version, index, count, bytes, tier };
    });
  }

  tidy(): void {
    for (const page of this.#files.sweep()) this.forget(page);
  }

  ended(session: LeaseSession, hasFailed: boolean): void {
    this.revoke(session, "");
    for (const object of this.#objects.values()) {
      for (const page of object.pages.values()) if (page.session === session) this.forget(page);
    }
    this.#used.delete(session);
    for (const [id, known] of this.#sessions) {
      if (known.current !== session) continue;
      this.#sessions.delete(id);
      if (hasFailed) this.#postpone(id, RETRY_MS);
    }
  }

  async #lease(path: string, first: number, last: number): Promise<void> {
    const { sourceOf, segmentBytes, clock } = this.#options;
    const home = sourceOf(path, 0);
    const session = home && (await this.#session(home));
    if (session === undefined) return;
    let object = this.object(path);
    if (object === undefined || object.session !== session) {
      const sentMs = clock.monotonicMs();
      const answer = await session.lease({
        path,
        firstPage: first,
        lastPage: Math.min(last, first + PAGES_AT_ONCE - 1),
        version: "",
      });
      object = answer && this.#adopt(path, session, answer, sentMs);
      if (object !== undefined && answer !== undefined) this.#place(object, session, answer);
    }
    if (object === undefined) return;
    await this.#locate(
      object,
      first,
      Math.min(last, Math.ceil(object.meta.sizeBytes / object.pageBytes) - 1),
      segmentBytes(),
    );
  }

  /** Asks each segment's owner where the pages lie that are not known yet. */
  async #locate(object: LeasedObject, first: number, last: number, segmentBytes: number): Promise<void> {
    const { path, meta, pageBytes } = object;
    for (let index = first; index <= last; ) {
      const segment = segmentOf(index * pageBytes, segmentBytes);
      const segmentEnd = Math.floor(((segment + 1) * segmentBytes) / pageBytes) - 1;
      const end = Math.min(last, segmentEnd, index + PAGES_AT_ONCE - 1);
      const missing = range(index, end).filter((at) => !object.pages.has(at));
      const [from] = missing;
      const to = missing.at(-1);
      const source = this.#options.sourceOf(path, segment);
      if (from !== undefined && to !== undefined && source !== undefined) {
        const session = await this.#session(source);
        const answer = await session?.lease({ path, firstPage: from, lastPage: to, version: meta.version });
        if (answer !== undefined && session !== undefined) this.#place(object, session, answer);
      }
      index = end + 1;
    }
  }

  #adopt(path: string, session: LeaseSession, answer: LeasePagesResponse, sentMs: number): LeasedObject | undefined {
    if (answer.freshMs <= 0 || answer.metaJson.length === 0 || session.hasOvertaken(answer)) return undefined;
    const meta = JSON.parse(answer.metaJson.toString("utf8")) as ObjectMeta;
    const freshUntilMs = sentMs + answer.freshMs;
    const known = this.#objects.get(path);
    this.#objects.delete(path);
    if (known !== undefined && known.session === session && known.meta.version === meta.version) {
      known.freshUntilMs = freshUntilMs;
      this.#objects.set(path, known);
      return known;
    }
    if (known !== undefined) this.#forgetAll(known);
    const object = { path, meta, pageBytes: answer.pageBytes, session, freshUntilMs, pages: new Map() };
    this.#objects.set(path, object);
    while (this.#objects.size > MAX_OBJECTS || this.#pages > MAX_PAGES) {
      const [longest] = this.#objects.values();
      if (longest === undefined || longest === object) break;
      this.#drop(longest);
    }
    return object;
  }

  #place(object: LeasedObject, session: LeaseSession, answer: LeasePagesResponse): void {
    if (this.#objects.get(object.path) !== object || session.closed || answer.pageBytes !== object.pageBytes) return;
    for (const page of answer.pages) {
      if (object.pages.has(page.index)) continue;
      const described = { path: object.path, version: object.meta.version };
      object.pages.set(page.index, new LeasedPage(session, described, page));
      this.#pages++;
    }
  }

  #session(source: LeaseSource): Promise<LeaseSession | undefined> {
    const known = this.#sessions.get(source.id);
    if (known !== undefined) return known.opening;
    if (!this.#mayAsk(source.id) || this.#closed) return Promise.resolve(undefined);
    const opening = LeaseSession.open(source.client, this.#options.clock, this).then(
      (session) => {
        opened.current = session;
        return session;
      },
      (error: unknown) => {
        this.#sessions.delete(source.id);
        const isTransient = error instanceof RinglightError && error.info.grpc === 14;
        this.#postpone(source.id, isTransient ? RETRY_MS : REFUSED_MS);
        return undefined;
      },
    );
    const opened: Opened = { opening, current: undefined };
    this.#sessions.set(source.id, opened);
    return opening;
  }

  #mayAsk(id: string): boolean {
    return this.#options.clock.monotonicMs() >= (this.#notBefore.get(id) ?? 0);
  }

  #postpone(id: string, ms: number): void {
    this.#notBefore.set(id, this.#options.clock.monotonicMs() + ms);
  }

  /** A page's file is gone, as after an eviction; or none of the worker's can be opened, as from another mount namespace. */
  #unreadable(object: LeasedObject, page: LeasedPage): void {
    object.pages.delete(page.index);
    this.#pages--;
    this.#files.drop(page);
    const { session } = page;
    if (++session.unreadable < MAX_UNREADABLE) return;
    const [id] = [...this.#sessions].find(([, known]) => known.current === session) ?? [];
    void session.close();
    if (id !== undefined) this.#postpone(id, REFUSED_MS);
  }

  #drop(object: LeasedObject): void {
    this.#objects.delete(object.path);
    this.#forgetAll(object);
  }

  #forgetAll(object: LeasedObject): void {
    for (const page of object.pages.values()) this.#files.drop(page);
    this.#pages -= object.pages.size;
    object.pages.clear();
  }
}

function range(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
}
