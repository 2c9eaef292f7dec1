/** A page that may be read past its worker, and the bounded set of those whose files are open. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import type { Native } from "@ringlight/native";
import type { LeaseSession } from "./lease-session.ts";

/** Where a page lies, and what was read of it since the last report. */
export class LeasedPage {
  readonly session: LeaseSession;
  /** Path of the object, and its version. */
  readonly object: string;
  readonly version: string;
  readonly index: number;
  readonly file: string;
  readonly position: number;
  readonly lengthBytes: number;
  readonly tier: string;
  /** -1 while the file is not open. */
  fd = -1;
  /** The file's bytes where they could be mapped, undefined where they could not, or before that was tried. */
  bytes: Buffer | undefined = undefined;
  /** Reads since the file was opened, up to the one that maps it or finds that it cannot. */
  reads = 0;
  /** Readers that hold the descriptor beyond one call. */
  holders = 0;
  /** Read since the hand of the clock came by. */
  referenced = false;
  dropped = false;
  uses = 0;
  usedBytes = 0;

  constructor(
    session: LeaseSession,
    object: { readonly path: string; readonly version: string },
    page: {
      readonly index: number;
      readonly path: string;
      readonly position: number;
      readonly length: number;
      readonly tier: string;
    },
  ) {
    this.session = session;
    this.object = object.path;
    this.version = object.version;
    this.index = page.index;
    this.file = page.path;
    this.position = page.position;
    this.lengthBytes = page.length;
    this.tier = page.tier;
  }
}

/**
 * The open files of leased pages. Page files never change, so that a descriptor stays right after the worker has evicted the
 * page; but it keeps the page's bytes from being freed, which is why sweep() closes those that have no name any more.
 *
 * A page that is read a second time is mapped where its file is in memory and there is an addon: copying 4 KiB from there takes
 * a third of the time of a system call that does it.
 */
export class OpenPages {
  readonly #limit: number;
  readonly #native: Native | undefined;
  /** Pages with an open file; undefined where one was closed. */
  readonly #ring: (LeasedPage | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #slots = new Map<LeasedPage, number>();
  #hand = 0;

  /** Without an addon nothing is mapped. */
  constructor(limit: number, native?: Native) {
    this.#limit = limit;
    this.#native = native;
  }

  get size(): number {
    return this.#slots.size;
  }

  /** The descriptor of the page's file, opened if need be; -1 where that cannot be. */
  descriptor(page: LeasedPage): number {
    page.referenced = true;
    if (page.fd >= 0) return page.fd;
    if (page.dropped) return -1;
    if (this.#slots.size >= this.#limit) this.#closeOne();
    try {
      page.fd = openSync(page.file, "r");
    } catch {
      return -1;
    }
    page.session.unreadable = 0;
    const slot = this.#free.pop() ?? this.#ring.length;
    this.#ring[slot] = page;
    this.#slots.set(page, slot);
    return page.fd;
  }

  /** Reads bytes of the page into `target`; false where the file does not hold them. */
  read(page: LeasedPage, within: number, target: Buffer, targetOffset: number, length: number): boolean {
    if (within + length > page.lengthBytes) return false;
    const fd = this.descriptor(page);
    if (fd < 0) return false;
    if (page.reads < 2 && ++page.reads === 2) this.#map(page);
    if (page.bytes !== undefined) {
      const from = page.position + within;
      page.bytes.copy(target, targetOffset, from, from + length);
      return true;
    }
    let at = 0;
    try {
      while (at < length) {
        const read = readSync(fd, target, targetOffset + at, length - at, page.position + within + at);
        if (read === 0) return false;
        at += read;
      }
    } catch {
      return false;
    }
    return true;
  }

  /** Closes the page's file, once nobody holds it. */
  drop(page: LeasedPage): void {
    page.dropped = true;
    if (page.holders === 0) this.#close(page);
  }

  hold(page: LeasedPage): void {
    page.holders++;
  }

  release(page: LeasedPage): void {
    if (--page.holders === 0 && page.dropped) this.#close(page);
  }

  /** Closes the files of pages that their worker has removed. Returns those pages. */
  sweep(): LeasedPage[] {
    const gone: LeasedPage[] = [];
    for (const page of this.#slots.keys()) {
      if (fstatSync(page.fd).nlink === 0) gone.push(page);
    }
    for (const page of gone) this.drop(page);
    return gone;
  }

  /** Closes all files that nobody holds. */
  close(): void {
    for (const page of [...this.#slots.keys()]) this.drop(page);
  }

  /** Second chance (Corbató 1968): the first page that was not read since the hand came by last. */
  #closeOne(): void {
    for (let step = 0; step < 2 * this.#ring.length; step++) {
      const page = this.#ring[this.#hand];
      this.#hand = (this.#hand + 1) % this.#ring.length;
      if (page === undefined || page.holders > 0) continue;
      if (!page.referenced) {
        this.#close(page);
        return;
      }
      page.referenced = false;
    }
  }

  #map(page: LeasedPage): void {
    const mapped = this.#native?.mapFile(page.fd, page.position + page.lengthBytes);
    if (mapped !== undefined) page.bytes = Buffer.from(mapped);
  }

  #close(page: LeasedPage): void {
    const slot = this.#slots.get(page);
    if (slot === undefined) return;
    this.#slots.delete(page);
    this.#ring[slot] = undefined;
    this.#free.push(slot);
    closeSync(page.fd);
    page.fd = -1;
    page.reads = 0;
    // Detaching unmaps now, and not when the collector comes by: the worker may have evicted the page.
    (page.bytes?.buffer as ArrayBuffer | undefined)?.transfer(0);
    page.bytes = undefined;
  }
}
