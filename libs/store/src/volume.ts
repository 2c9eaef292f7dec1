/**
 * One directory of a tier: its files, index, byte budget, eviction policy and descriptors. Long because the order in which
 * these five change is the store's correctness, and is best read in one place:
 *
 * - A page enters the index only after its file has its final name; it leaves the index before its file is unlinked.
 * - Bytes are reserved before the temporary file is made, and given back when the unlinked file is no longer held open.
 * - Writers of one path take turns, and wait for a pending unlink of it.
 */
import * as fs from "node:fs";
import { type Bagged, type Clock, formatBytes, TransientMap, type VersionId } from "@ringlight/core";
import { directoryError, fittingLimit, isInMemory, takeDirectory } from "./directory.ts";
import type { DirectoryLock } from "./directory-lock.ts";
import { DiskHealth } from "./disk-health.ts";
import { createEvictionPolicy, type EvictionPolicyName } from "./eviction-policy.ts";
import { createFile, createFileInMemory, createFileSync, errnoOf } from "./file-io.ts";
import { FileRemover } from "./file-remover.ts";
import { readSnapshot, writeSnapshot } from "./index-snapshot.ts";
import { type OpenFile, OpenFiles, type PageMapper } from "./open-files.ts";
import { PageCheck } from "./page-check.ts";
import { accountedBytes, formatPageName, makeTrailer, type PageName, TEMPORARY_PREFIX } from "./page-file.ts";
import type { PageRules } from "./page-rules.ts";
import { LEAVING, PageTable, VERIFIED } from "./page-table.ts";
import { recoverPages, subdirectories } from "./recovery.ts";
import { PIN_SHARE, RuledPolicy } from "./ruled-policy.ts";
import { SpaceBudget } from "./space-budget.ts";
import type { VersionTable } from "./version-table.ts";

/** Where the store says what an operator should know; never called on the read path. */
export type StoreLog = (level: "info" | "warn", message: string) => void;

/** What a volume is made of. */
export interface VolumeOptions {
  readonly tier: string;
  readonly directory: string;
  readonly limitBytes: number;
  readonly policy: EvictionPolicyName;
  /** Descriptors kept open while nobody reads. */
  readonly openFileLimit: number;
  /** Maps pages that lie in memory. */
  readonly mapper?: PageMapper | undefined;
  readonly versions: VersionTable;
  readonly rules: PageRules;
  readonly clock: Clock;
  readonly log: StoreLog;
  readonly events: VolumeEvents;
}

/** What a volume tells the store. */
export interface VolumeEvents {
  /** A page must leave. True if the store copies it on first, and calls drop() afterwards; false to drop it now. */
  onVictim(volume: Volume, slot: number): boolean;
  /** A page left the index. */
  onGone(version: VersionId, index: number, reason: DropReason): void;
}

/** Why a page leaves. */
export type DropReason = "evicted" | "invalidated" | "corrupt" | "ttl" | "quota";

/** A page to write. Whoever sets `cancelled` sees to it that the page does not become visible. */
export interface PageWrite extends Bagged {
  readonly version: VersionId;
  readonly index: number;
  readonly lengthBytes: number;
  /** What rules say of it at this moment. */
  readonly ruleClass: () => number;
  /** When it came, for a copy of a page that is here already. */
  readonly cameMs?: number | undefined;
  cancelled: boolean;
}

/** What became of a write: stored, or why not. */
export type WriteOutcome = "stored" | "cancelled" | "source_gone" | "disk_error";

/** Most pages chosen by one run of eviction; the next run begins when one of them is gone. */
const EVICTION_BATCH = 256;

/** New pages that stay whatever the policy thinks of them: two of the largest, thirty-two of the usual size. */
const MOST_RECENT_BYTES = 32 * 1024 * 1024;

/** Pages up to this length are written at once where that does not wait for a disk; longer ones would hold up the rest. */
const QUICK_BYTES = 128 * 1024;

/** Most bytes that are checked at once where reading them does not wait for a disk: a third of a millisecond. */
const SYNC_CHECK_BYTES = 1024 * 1024;

/** Makes the file of a page at the temporary path that it is given. */
export type FillFile = (temporary: string) => Promise<void> | void;

/** Numbers temporary files, over all volumes. */
let temporaries = 0;

/** See the head of the file. */
export class Volume {
  readonly tier: string;
  readonly directory: string;
  readonly budget: SpaceBudget;
  readonly health: DiskHealth;
  readonly table: PageTable;
  evictedPages = 0;
  evictedBytes = 0;
  ttlPages = 0;
  quotaPages = 0;
  corruptPages = 0;
  /** Pages that were written since the start, new ones and copies from other tiers. */
  storedPages = 0;
  storedBytes = 0;

  readonly #versions: VersionTable;
  readonly #rules: PageRules;
  readonly #clock: Clock;
  readonly #events: VolumeEvents;
  readonly #log: StoreLog;
  readonly #lock: DirectoryLock;
  readonly #policy: RuledPolicy;
  readonly #files: OpenFiles;
  readonly #remover: FileRemover;
  readonly #subdirectories: readonly string[];
  readonly #isInMemory: boolean;
  /** Writes under way, by final path. */
  readonly #writing = new TransientMap<Promise<WriteOutcome>>();
  /** Victims that the store copies on at this moment. */
  #moving = 0;
  #closed = false;

  private constructor(
    options: VolumeOptions,
    lock: DirectoryLock,
    table: PageTable,
    policy: RuledPolicy,
    limitBytes: number,
  ) {
    this.tier = options.tier;
    this.directory = options.directory;
    this.budget = new SpaceBudget(limitBytes);
    this.health = new DiskHealth(options.clock);
    this.table = table;
    this.#versions = options.versions;
    this.#rules = options.rules;
    this.#clock = options.clock;
    this.#events = options.events;
    this.#log = options.log;
    this.#lock = lock;
    this.#policy = policy;
    policy.pinLimitBytes = limitBytes * PIN_SHARE;
    this.#subdirectories = subdirectories(options.directory);
    this.#isInMemory = isInMemory(options.directory);
    this.#remover = new FileRemover(this.#isInMemory);
    this.#files = new OpenFiles(options.openFileLimit, this.#isInMemory ? options.mapper : undefined);
  }

  /**
   * Takes the directory, finds its pages by name and evicts down to the limit.
   * @throws RL_CONFLICT, RL_NO_PERMISSION, RL_DISK_FULL or RL_BAD_CONFIG, naming the directory.
   */
  static async open(options: VolumeOptions): Promise<Volume> {
    const { directory, versions, log } = options;
    const lock = takeDirectory(directory);
    try {
      const table = new PageTable(versions);
      const recentBytes = Math.min(MOST_RECENT_BYTES, options.limitBytes * 0.375);
      const make = () => createEvictionPolicy(options.policy, table, recentBytes);
      const policy = new RuledPolicy(table, options.rules, make);
      let ownBytes = 0;
      const expect = (pages: number): void => table.reserve(pages);
      const enter = (slot: number): void => {
        policy.enter(slot, true);
        ownBytes += table.bytesOf(slot);
      };
      const paths = subdirectories(directory);
      const snapshot = await readSnapshot(directory, paths);
      if (snapshot !== undefined) expect(snapshot.pages);
      const add = ({ version, index, lengthBytes }: PageName, subdirectory: number): boolean => {
        if (versions.hashOfPage(version, index) >>> 24 !== subdirectory || table.find(version, index) >= 0)
          return false;
        enter(table.insert(version, index, lengthBytes, 0));
        return true;
      };
      const known = (subdirectory: number): number | undefined => {
        const before = table.size;
        const holds = snapshot?.visit(subdirectory, (key, index, lengthBytes, useWord) => {
          const slot = table.insertWords(key, index, lengthBytes, 0);
          table.restoreUse(slot, useWord);
          enter(slot);
          // What was used more than once is worth more than what was not.
          if (table.usesOf(slot) > 1) policy.onHit(slot);
        });
        return holds ? table.size - before : undefined;
      };
      const counts = await recoverPages(paths, expect, add, known);
      const limitBytes = await fittingLimit(directory, options.limitBytes, ownBytes);
      const volume = new Volume(options, lock, table, policy, limitBytes);
      volume.budget.usedBytes = ownBytes;
      await volume.#settle();
      const found = `tier ${options.tier}: ${counts.pages} pages (${formatBytes(ownBytes)}) found in ${directory}`;
      const how = `${counts.read} of ${paths.length} sub-directories read, ${counts.removed} unfinished files removed`;
      log("info", `${found}, limit ${formatBytes(limitBytes)}, ${how}`);
      if (limitBytes < options.limitBytes) {
        const wanted = formatBytes(options.limitBytes);
        log("warn", `tier ${options.tier}: ${directory} has room for ${formatBytes(limitBytes)}, not for ${wanted}`);
      }
      if (counts.foreign > 0) log("warn", `${counts.foreign} files in ${directory} are not pages and were left alone`);
      return volume;
    } catch (error) {
      lock.release();
      throw directoryError(directory, error);
    }
  }

  /** True if a page of this length could ever be kept here. */
  fits(lengthBytes: number): boolean {
    return accountedBytes(lengthBytes) <= this.budget.limitBytes;
  }

  /** Reserves the bytes of a page if they are free, and evicts ahead of the next one. Whoever gets them calls write(). */
  tryReserve(lengthBytes: number): boolean {
    if (this.#policy.isFrozen) return this.tryReserveFree(lengthBytes);
    if (this.#closed) return false;
    const granted = this.budget.tryReserve(accountedBytes(lengthBytes));
    this.#evict();
    return granted;
  }

  /** Reserves the bytes of a page only where nothing has to leave for it. Whoever gets them calls write(). */
  tryReserveFree(lengthBytes: number): boolean {
    return !this.#closed && this.#hasFree(lengthBytes) && this.budget.tryReserve(accountedBytes(lengthBytes));
  }

  /** Reserves the bytes of a page as soon as eviction has freed them; false if it cannot. */
  reserve(lengthBytes: number): Promise<boolean> {
    if (this.#closed || this.#policy.isFrozen) return Promise.resolve(false);
    const granted = this.budget.reserve(accountedBytes(lengthBytes));
    this.#evict();
    return granted;
  }

  /** Whether a page asked for so often is worth a write here: always while there is room, and else if the policy says so. */
  admits({ lengthBytes, ruleClass }: PageWrite, hash: number, frequency: number): boolean {
    return this.#hasFree(lengthBytes) || this.#policy.admits(hash, frequency, ruleClass());
  }

  /** Tells the policy that a page was asked for which this volume does not get now. */
  noteMiss(hash: number, ruleClass: number): void {
    this.#policy.onMiss(hash, ruleClass);
  }

  /** How often a page was asked for of late, as far as this volume counts. */
  frequencyOf(slot: number): number {
    return this.#policy.frequencyOf(this.table.hashOf(slot), this.table.ruleClassOf(slot));
  }

  /** Bytes that pins keep here, and bytes of pages whose pin is not kept, for pins have their share already. */
  get pins(): { readonly heldBytes: number; readonly unheldBytes: number } {
    return this.#policy;
  }

  /** Gives a page another class. */
  reclassify(slot: number, ruleClass: number): void {
    const before = this.table.ruleClassOf(slot);
    if (before === ruleClass) return;
    const bytes = this.table.bytesOf(slot);
    this.#policy.reclassify(slot, ruleClass, this.#clock.now());
    this.#rules.account(before, -1, -bytes);
    this.#rules.account(ruleClass, 1, bytes);
  }

  /**
   * Writes a page whose bytes are reserved; the reservation passes to the page, or is given back. `fill` makes the file at
   * the temporary path that it is given. Never throws.
   */
  async write(page: PageWrite, verified: boolean, fill: FillFile): Promise<WriteOutcome> {
    const hash = this.#versions.hashOfPage(page.version, page.index);
    const path = this.#pathOf(hash, page.version, page.index, page.lengthBytes);
    for (let other = this.#writing.get(path); other; other = this.#writing.get(path)) await other;
    const write = this.#write(page, path, hash, verified, fill);
    this.#writing.set(path, write);
    const outcome = await write;
    this.#writing.delete(path);
    this.budget.reservations--;
    this.#evict();
    return outcome;
  }

  /**
   * Writes a small new page at once, on a file system in memory, where there is room and nothing else is under way with its
   * file. False, and nothing has happened, where that cannot be or fails: who reserves and calls writeNew() is told why.
   */
  tryWriteNew(page: PageWrite, data: Uint8Array, onlyFree: boolean, checksums?: Uint32Array): boolean {
    if (!this.#isInMemory || data.length > QUICK_BYTES) return false;
    const hash = this.#versions.hashOfPage(page.version, page.index);
    const path = this.#pathOf(hash, page.version, page.index, page.lengthBytes);
    if (this.#isBusy(path)) return false;
    if (!(onlyFree ? this.tryReserveFree(data.length) : this.tryReserve(data.length))) return false;
    const temporary = this.#temporaryIn(hash);
    let written = false;
    try {
      createFileSync(temporary, [data, makeTrailer(page.version, page.index, data, checksums)]);
      fs.renameSync(temporary, path);
      written = true;
    } catch {
      // What stays is removed at the next start.
      fs.rm(temporary, { force: true }, () => undefined);
    }
    this.budget.reservations--;
    if (!written) {
      this.#giveBack(accountedBytes(data.length));
      return false;
    }
    this.#insert(page, VERIFIED);
    this.#noteSuccess();
    this.#evict();
    return true;
  }

  /** A file of the path is being written or removed. Looked up where anything is, for paths are long. */
  #isBusy(path: string): boolean {
    if (this.#writing.size > 0 && this.#writing.has(path)) return true;
    return this.#remover.pending > 0 && this.#remover.settled(path) !== undefined;
  }

  /** Writes a new page with its trailer; see write(). */
  writeNew(page: PageWrite, data: Uint8Array, trailer: Uint8Array): Promise<WriteOutcome> {
    const inMemory = data.length <= QUICK_BYTES ? createFileSync : createFileInMemory;
    const create = this.#isInMemory ? inMemory : createFile;
    return this.write(page, true, (temporary) => create(temporary, [data, trailer]));
  }

  /** Opens the file of a page, without counting a use; the caller gives it back by `release`. Undefined, and the page dropped, if it cannot be opened. */
  acquire(slot: number): OpenFile | undefined {
    try {
      return this.#files.acquire(slot, this.table.lengthOf(slot), () => this.pathOf(slot));
    } catch (error) {
      if (errnoOf(error) === "EMFILE" || errnoOf(error) === "ENFILE") {
        this.#log("warn", `no descriptor left for pages of ${this.directory}: raise the limit of open files`);
      } else {
        this.drop(slot, "corrupt");
      }
      return undefined;
    }
  }

  /** Gives a file back that acquire() opened. */
  release(file: OpenFile): void {
    this.#files.release(file);
  }

  /** Counts a use of a page. */
  hit(slot: number): void {
    this.table.noteUse(slot);
    this.#policy.onHit(slot);
  }

  /** True if the bytes of a held page that will be read were checked since the start. */
  isVerified(file: OpenFile, offset: number, length: number): boolean {
    return this.table.has(file.slot, VERIFIED) || (file.check?.covers(offset, length) ?? false);
  }

  /**
   * Reads the blocks of a held page that hold the range and checks them: those not checked since the start, or all of them
   * `again`. A page that fails is dropped. Files in memory are checked at once. Those who open a whole page meanwhile share
   * the check.
   */
  verify(file: OpenFile, offset: number, length: number, again: boolean): boolean | Promise<boolean> {
    const { table } = this;
    const lengthBytes = table.lengthOf(file.slot);
    file.check ??= new PageCheck(file.fd, table.versionOf(file.slot), table.indexOf(file.slot), lengthBytes);
    if (this.#isInMemory && length <= SYNC_CHECK_BYTES)
      return this.#verifySync(file, file.check, offset, length, again);
    if (length < lengthBytes || again) return this.#verify(file, file.check, offset, length, again);
    file.verification ??= this.#verify(file, file.check, offset, length, again).finally(() => {
      file.verification = undefined;
    });
    return file.verification;
  }

  /** Takes a page out of the index at once, and its file off the disk in the background. */
  drop(slot: number, reason: DropReason): void {
    const table = this.table;
    const bytes = table.bytesOf(slot);
    if (table.has(slot, LEAVING)) {
      this.#moving--;
    } else {
      this.#policy.leave(slot);
      this.budget.leavingBytes += bytes;
    }
    const version = table.versionOf(slot);
    const index = table.indexOf(slot);
    const path = this.pathOf(slot);
    this.#rules.account(table.ruleClassOf(slot), -1, -bytes);
    table.remove(slot);
    if (reason === "ttl") this.ttlPages++;
    else if (reason === "quota") this.quotaPages++;
    else if (reason === "evicted") {
      this.evictedPages++;
      this.evictedBytes += bytes;
    } else if (reason === "corrupt") {
      this.corruptPages++;
      this.#log("warn", `tier ${this.tier}: page ${index} of version ${version} was damaged and is dropped: ${path}`);
    }
    // Counted as leaving until unlinked, and as used until unlinked and closed: readers may hold the file for long.
    let left = 2;
    const done = (): void => {
      if (--left === 0) this.#giveBack(bytes);
    };
    this.#files.retire(slot, done);
    this.#remover.remove(path, bytes, (error) => {
      this.budget.leavingBytes -= bytes;
      if (error) this.#noteStuck(path, error);
      else done();
      this.#evict();
    });
    this.#events.onGone(version, index, reason);
  }

  /** Resolves when no write or unlink is under way. */
  async idle(): Promise<void> {
    while (this.#writing.size + this.#remover.pending + this.#files.closing > 0) {
      await Promise.all(this.#writing.values());
      await this.#remover.idle();
      await this.#files.idle();
    }
  }

  /** Refuses who waits for room, waits for what is under way, closes the files and gives the directory free. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.budget.refuseWaiters();
    await this.idle();
    try {
      await writeSnapshot(this.directory, this.#subdirectories, this.table);
    } catch (error) {
      // The next start reads the directories.
      this.#log("warn", `the index of ${this.directory} could not be written down: ${errnoOf(error) ?? String(error)}`);
    }
    this.#files.close();
    this.#lock.release();
  }

  #hasFree(lengthBytes: number): boolean {
    return this.budget.usedBytes + accountedBytes(lengthBytes) <= this.budget.highBytes;
  }

  #insert(page: PageWrite, flags: number): void {
    const { version, index, lengthBytes } = page;
    const ruleClass = page.ruleClass();
    const nowMs = this.#clock.now();
    const cameMs = page.cameMs ?? nowMs;
    const slot = this.table.insert(version, index, lengthBytes, flags, cameMs);
    const bytes = this.table.bytesOf(slot);
    if (ruleClass !== 0) this.table.setRuleClass(slot, ruleClass, nowMs, cameMs);
    this.#rules.account(ruleClass, 1, bytes);
    this.#policy.enter(slot, false);
    this.storedPages++;
    this.storedBytes += bytes;
  }

  async #write(page: PageWrite, path: string, hash: number, verified: boolean, fill: FillFile): Promise<WriteOutcome> {
    const bytes = accountedBytes(page.lengthBytes);
    if (page.cancelled || this.#holds(page)) {
      this.#giveBack(bytes);
      return page.cancelled ? "cancelled" : "stored";
    }
    const subdirectory = this.#subdirectories[hash >>> 24]!;
    const temporary = this.#temporaryIn(hash);
    try {
      await this.#fill(subdirectory, temporary, fill);
      const removal = this.#remover.settled(path);
      if (removal) await removal;
      if (page.cancelled) return await this.#withdraw(temporary, path, bytes);
      if (this.#isInMemory) fs.renameSync(temporary, path);
      else await fs.promises.rename(temporary, path);
    } catch (error) {
      this.#remove(temporary, bytes);
      if (errnoOf(error) === "ENOENT" && fs.existsSync(subdirectory)) return "source_gone";
      if (this.health.fail(error)) {
        this.#log("warn", `tier ${this.tier}: ${this.directory} takes no pages now: ${this.health.error}`);
      }
      return "disk_error";
    }
    if (page.cancelled) return this.#withdraw(temporary, path, bytes);
    this.#insert(page, verified ? VERIFIED : 0);
    this.#noteSuccess();
    return "stored";
  }

  #temporaryIn(hash: number): string {
    return `${this.#subdirectories[hash >>> 24]!}/${TEMPORARY_PREFIX}${temporaries++}`;
  }

  #noteSuccess(): void {
    if (this.health.succeed()) this.#log("info", `tier ${this.tier}: ${this.directory} takes pages again`);
  }

  /** Removes the file of a page that must not become visible: there is one, under one of the two names. */
  async #withdraw(temporary: string, path: string, bytes: number): Promise<WriteOutcome> {
    await fs.promises.rm(temporary, { force: true }).catch(() => undefined);
    this.#remove(path, bytes);
    return "cancelled";
  }

  /** Fills the temporary file; once more if somebody removed the sub-directory. */
  async #fill(subdirectory: string, temporary: string, fill: FillFile): Promise<void> {
    try {
      await fill(temporary);
    } catch (error) {
      if (errnoOf(error) !== "ENOENT" || fs.existsSync(subdirectory)) throw error;
      await fs.promises.mkdir(subdirectory, { recursive: true, mode: 0o700 });
      await fill(temporary);
    }
  }

  #holds(page: PageWrite): boolean {
    return this.table.find(page.version, page.index) >= 0;
  }

  async #verify(file: OpenFile, check: PageCheck, offset: number, length: number, again: boolean): Promise<boolean> {
    // A page that cannot be read is as bad as a page that is wrong.
    return this.#judge(file, check, await check.check(offset, length, again).catch(() => false));
  }

  #verifySync(file: OpenFile, check: PageCheck, offset: number, length: number, again: boolean): boolean {
    let whole = false;
    try {
      whole = check.checkSync(offset, length, again);
    } catch {
      // As above.
    }
    return this.#judge(file, check, whole);
  }

  #judge(file: OpenFile, check: PageCheck, whole: boolean): boolean {
    if (!file.retired) {
      if (!whole) this.drop(file.slot, "corrupt");
      else if (check.isComplete) this.table.set(file.slot, VERIFIED);
    }
    return whole;
  }

  /** Chooses pages to leave while there is less room than there should be. */
  #evict(): void {
    const excess = this.budget.excessBytes;
    if (excess > 0 && !this.#closed) {
      const victims: number[] = [];
      this.#policy.victims(excess, EVICTION_BATCH, victims);
      for (const slot of victims) {
        const bytes = this.table.bytesOf(slot);
        this.budget.leavingBytes += bytes;
        this.table.set(slot, LEAVING);
        this.#moving++;
        if (!this.#events.onVictim(this, slot)) this.drop(slot, "evicted");
      }
    }
    const { budget } = this;
    const coming = budget.reservations + this.#moving + this.#remover.pending + this.#files.closing;
    if (budget.hasWaiters && coming === 0) budget.refuseWaiters();
  }

  /** Unlinks a file whose bytes are reserved, and gives them back. */
  #remove(path: string, bytes: number): void {
    this.budget.leavingBytes += bytes;
    this.#remover.remove(path, bytes, (error) => {
      this.budget.leavingBytes -= bytes;
      if (error) this.#noteStuck(path, error);
      else this.#giveBack(bytes);
    });
  }

  /** A file that cannot be unlinked keeps its bytes: they are in use. */
  #noteStuck(path: string, error: Error): void {
    if (this.health.fail(error)) this.#log("warn", `tier ${this.tier}: ${path} cannot be removed: ${error.message}`);
  }

  #giveBack(bytes: number): void {
    this.budget.free(bytes);
    this.#evict();
  }

  /** Evicts until the limit holds; for the start, when the limit may have become smaller. */
  async #settle(): Promise<void> {
    this.#evict();
    while (this.#remover.pending > 0) await this.#remover.idle();
  }

  /** Path of a page's file. */
  pathOf(slot: number): string {
    const table = this.table;
    const version = table.versionOf(slot);
    return this.#pathOf(table.hashOf(slot), version, table.indexOf(slot), table.lengthOf(slot));
  }

  #pathOf(hash: number, version: VersionId, index: number, lengthBytes: number): string {
    return `${this.#subdirectories[hash >>> 24]!}/${formatPageName(version, index, lengthBytes)}`;
  }
}
