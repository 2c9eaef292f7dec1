/** Descriptors of page files, kept open between reads. */
import * as fs from "node:fs";
import { errnoOf } from "./file-io.ts";
import type { PageCheck } from "./page-check.ts";

/** One open page file. */
export class OpenFile {
  readonly slot: number;
  readonly fd: number;
  /** Readers that hold the file. */
  holders = 0;
  /** It was found open since it was last thought of closing it. */
  used = false;
  /** It is among those that are thought of. */
  listed = false;
  /** How often it was opened by readers, until it is mapped or that is given up. */
  opened = 0;
  /** Bytes of it that are mapped. */
  mappedBytes = 0;
  /** Set when the page left the index: the last holder closes the file, and the slot may name another page by now. */
  onLastRelease: (() => void) | undefined;
  /** What was checked of the page since the file was opened, if it was not known to be good before. */
  check: PageCheck | undefined;
  /** The check of the whole page that runs now; those who open the page meanwhile wait for it too. */
  verification: Promise<boolean> | undefined;

  constructor(slot: number, fd: number) {
    this.slot = slot;
    this.fd = fd;
  }

  get retired(): boolean {
    return this.onLastRelease !== undefined;
  }
}

/** Keeps page files mapped by descriptor, where somebody sends from there; see Native of libs/native. */
export interface PageMapper {
  mapPage(fd: number, length: number): boolean;
  unmapPage(fd: number, length: number): void;
}

/** A file is mapped when it is opened for the so manieth time: a few reads would not pay for it. */
const MAP_AT = 8;

/**
 * A bounded cache of descriptors by slot. Files that readers hold are never closed, so that the bound may be passed by as
 * many as are held at once; of the others those go that were not used since they were last thought of (CLOCK): a use costs a
 * flag, where an order of uses would have to be kept at each.
 */
export class OpenFiles {
  readonly #limit: number;
  readonly #mapper: PageMapper | undefined;
  readonly #files = new Map<number, OpenFile>();
  /** Files that were let go of, the next to be thought of first; some of them are held again. */
  readonly #idle = new Map<number, OpenFile>();
  /** Unlinked files that are being closed. */
  readonly #closings = new Set<Promise<void>>();
  #closed = false;

  /** @param mapper maps files that are read often; left out where files are on disk */
  constructor(limit: number, mapper?: PageMapper) {
    this.#limit = limit;
    this.#mapper = mapper;
  }

  /** Number of unlinked files whose bytes come free in a moment. */
  get closing(): number {
    return this.#closings.size;
  }

  /** Resolves when the unlinked files that are being closed now are closed. */
  async idle(): Promise<void> {
    await Promise.all(this.#closings);
  }

  /**
   * Opens the page's file or finds it open; the caller releases it. @param pageBytes length of the page
   * @throws the system's error
   */
  acquire(slot: number, pageBytes: number, path: () => string): OpenFile {
    let file = this.#files.get(slot);
    if (file === undefined) {
      file = new OpenFile(slot, this.#open(path()));
      this.#files.set(slot, file);
    } else {
      file.used = true;
    }
    file.holders++;
    if (this.#mapper !== undefined && ++file.opened === MAP_AT) {
      file.mappedBytes = this.#mapper.mapPage(file.fd, pageBytes) ? pageBytes : 0;
    }
    return file;
  }

  release(file: OpenFile): void {
    if (--file.holders > 0) return;
    if (file.onLastRelease) {
      this.#closeLater(file, file.onLastRelease);
      return;
    }
    if (!file.listed) {
      file.listed = true;
      this.#idle.set(file.slot, file);
    }
    if (this.#closed) this.#closeIdle(0);
    else if (this.#files.size > this.#limit) this.#closeIdle(this.#limit);
  }

  /** Takes the page's file out of the cache; `done` is called once nothing holds it open any more. */
  retire(slot: number, done: () => void): void {
    const file = this.#files.get(slot);
    if (file === undefined) {
      done();
      return;
    }
    this.#files.delete(slot);
    this.#idle.delete(slot);
    file.onLastRelease = done;
    if (file.holders === 0) this.#closeLater(file, done);
  }

  /** Closes what nobody holds, now; what is held is closed when it is released. */
  close(): void {
    this.#closed = true;
    this.#closeIdle(0);
  }

  #open(path: string): number {
    try {
      return openToRead(path);
    } catch (error) {
      if (errnoOf(error) !== "EMFILE" && errnoOf(error) !== "ENFILE") throw error;
      this.#closeIdle(0);
      return openToRead(path);
    }
  }

  /** Closes idle files until at most `target` files are open. Linked files close at once, with no disk access. */
  #closeIdle(target: number): void {
    for (const [slot, file] of this.#idle) {
      if (this.#files.size <= target) return;
      this.#idle.delete(slot);
      if (file.holders > 0) {
        // Comes back when it is let go of.
        file.listed = false;
      } else if (file.used && target > 0) {
        file.used = false;
        this.#idle.set(slot, file);
      } else {
        this.#files.delete(slot);
        this.#unmap(file);
        fs.closeSync(file.fd);
      }
    }
  }

  /** Before the descriptor is closed, always: it may be another file's the moment after. */
  #unmap(file: OpenFile): void {
    if (file.mappedBytes > 0) this.#mapper?.unmapPage(file.fd, file.mappedBytes);
    file.mappedBytes = 0;
  }

  /** Closing the last descriptor of an unlinked file frees its blocks, which takes time: never on the event loop. */
  #closeLater(file: OpenFile, done: () => void): void {
    this.#unmap(file);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closings.add(promise);
    fs.close(file.fd, () => {
      this.#closings.delete(promise);
      resolve();
      done();
    });
  }
}

/** Reads are not written down in the files' inodes, where this process may say so: a file's owner may. 0 where the system does not know that. */
const NO_ATIME = fs.constants.O_NOATIME ?? 0;

function openToRead(path: string): number {
  try {
    return fs.openSync(path, fs.constants.O_RDONLY | NO_ATIME);
  } catch (error) {
    if (errnoOf(error) !== "EPERM") throw error;
    return fs.openSync(path, "r");
  }
}
