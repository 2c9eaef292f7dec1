/**
 * The page store of a worker: tiers of directories, fastest first. A tier is one or more volumes (see volume.ts); this file
 * decides which of them a page goes to, comes from and moves to.
 *
 * - A new page goes to the first tier with room at this moment, and waits for room on the last one only.
 * - A page evicted from a tier is copied to the next one in the background, unless it is there already. Once the next one
 *   is full, only a page that its policy finds worth more than the one that would leave: what was read once and never again
 *   does not wear the disk.
 * - A page hit twice on a slower tier is copied to the first; the slower copy stays, so that leaving the first tier again
 *   costs no second write.
 *
 * Long, because a page on its way between tiers must be seen by each of them.
 */
import * as fs from "node:fs";
import {
  type MissReason,
  type OpenOptions,
  type PageLocation,
  type PageRef,
  type PageRun,
  type PageStore,
  type PutOptions,
  type PutResult,
  RinglightError,
  type TierStats,
  TransientBag,
  TransientMap,
  type VersionId,
} from "@ringlight/core";
import { StoreInventory } from "./inventory.ts";
import { MissMemory, type RememberedReason } from "./miss-memory.ts";
import type { OpenFile } from "./open-files.ts";
import { MAX_PAGE_BYTES, MAX_PAGE_INDEX, makeTrailer } from "./page-file.ts";
import { FilePageRef } from "./page-ref.ts";
import type { PageRules } from "./page-rules.ts";
import { HIT_ONCE, LEAVING, PROMOTING, VERIFIED } from "./page-table.ts";
import { RuleKeeper } from "./rule-keeper.ts";
import { mix32, type VersionTable } from "./version-table.ts";
import type { DropReason, PageWrite, Volume } from "./volume.ts";
import { WorkQueue } from "./work-queue.ts";

/** What this store says of a tier beyond the interface. */
export interface LocalTierStats extends TierStats {
  /** Evicted pages that should have been copied on and were not: the queue or the next tier was full. */
  readonly droppedDemotions: number;
  /** Pages checked against their checksums. */
  readonly verifiedPages: number;
}

/** A tier and what was counted of it. */
export interface Tier {
  readonly name: string;
  readonly volumes: readonly Volume[];
  demotedPages: number;
  droppedDemotions: number;
  refusedDemotions: number;
  promotedPages: number;
  verifiedPages: number;
}

const DEMOTION_CONCURRENCY = 2;
const DEMOTION_QUEUE = 512;
const PROMOTION_CONCURRENCY = 2;
const PROMOTION_QUEUE = 64;
/** Pages looked at in one turn of the event loop: well below a millisecond. */
const INVENTORY_PORTION = 16_384;

/** A page store on local directories; made by openPageStore. */
export class LocalPageStore implements PageStore {
  readonly #tiers: readonly Tier[];
  /** All volumes in order of their tiers, and the tier of each. */
  readonly #volumes: readonly Volume[];
  readonly #tierOf = new Map<Volume, number>();
  readonly #versions: VersionTable;
  readonly #memory = new MissMemory();
  /** What rules by path say of pages, and who sees to it. */
  readonly rules: PageRules;
  readonly #keeper: RuleKeeper;
  /** A hit is checked when a 32-bit random number is below this. */
  readonly #sampleBelow: number;
  #random = 0x9e3779b9;
  /** Puts under way, by page. */
  readonly #puts = new TransientMap<{ readonly page: PageWrite; readonly result: Promise<PutResult> }>();
  /** Everything that may still make a page visible. */
  readonly #writes = new TransientBag<PageWrite>();
  readonly #demotions = new WorkQueue(DEMOTION_CONCURRENCY, DEMOTION_QUEUE);
  readonly #promotions = new WorkQueue(PROMOTION_CONCURRENCY, PROMOTION_QUEUE);
  #closing: Promise<void> | undefined;

  constructor(tiers: readonly Tier[], versions: VersionTable, rules: PageRules, verifySampleRate: number) {
    this.#tiers = tiers;
    this.rules = rules;
    this.#volumes = tiers.flatMap((tier) => tier.volumes);
    tiers.forEach((tier, at) => {
      for (const volume of tier.volumes) this.#tierOf.set(volume, at);
    });
    this.#versions = versions;
    this.#sampleBelow = Math.round(verifySampleRate * 2 ** 32);
    this.#keeper = new RuleKeeper(rules, this.#volumes);
  }

  open(version: VersionId, index: number, options?: OpenOptions): PageRef | undefined | Promise<PageRef | undefined> {
    if (this.#closing) return undefined;
    for (const volume of this.#volumes) {
      const slot = volume.table.find(version, index);
      if (slot < 0) continue;
      const file = volume.acquire(slot);
      // The page, and with its last page the version, may be gone by now: look again from the start.
      if (file === undefined)
        return volume.table.find(version, index) === slot ? undefined : this.open(version, index, options);
      const again = options?.verify === true || this.#isSampled();
      if (again || !volume.table.has(slot, VERIFIED)) {
        const { offset, length } = options?.range ?? { offset: 0, length: volume.table.lengthOf(slot) };
        if (again || !volume.isVerified(file, offset, length)) {
          this.#tiers[this.#tierOf.get(volume)!]!.verifiedPages++;
          const whole = volume.verify(file, offset, length, again);
          if (whole instanceof Promise) return this.#openVerified(version, index, options, volume, file, whole);
          if (!whole) {
            volume.release(file);
            // A slower tier may hold a good copy.
            return this.open(version, index, options);
          }
        }
      }
      return this.#use(volume, slot, file);
    }
    return undefined;
  }

  locate(version: VersionId, index: number): PageLocation | undefined | Promise<PageLocation | undefined> {
    const opened = this.open(version, index);
    return opened instanceof Promise ? opened.then(locationOf) : locationOf(opened);
  }

  peek(version: VersionId, index: number): string | undefined {
    for (const volume of this.#volumes) if (volume.table.find(version, index) >= 0) return volume.tier;
    return undefined;
  }

  /** Length of a page that is here, bytes; not counted as a use. */
  lengthOf(version: VersionId, index: number): number | undefined {
    for (const { table } of this.#volumes) {
      const slot = table.find(version, index);
      if (slot >= 0) return table.lengthOf(slot);
    }
    return undefined;
  }

  /** True if a page of the version is here. */
  holds(version: VersionId): boolean {
    return this.#volumes.some(({ table }) => table.holds(version));
  }

  missReason(version: VersionId, index: number): MissReason {
    return this.#memory.reasonOf(version, index);
  }

  /** What the store remembers of a page that it does not hold: with `ttl` and `quota` the rule's kind, where missReason() says `evicted`. */
  whyGone(version: VersionId, index: number): RememberedReason | undefined {
    return this.#memory.recall(version, index);
  }

  /** Says what the rules say of the pages of a version that are here. */
  setRuleClass(version: VersionId, ruleClass: number): void {
    for (const volume of this.#volumes) {
      for (const slot of volume.table.slotsOf(version)) volume.reclassify(slot, ruleClass);
    }
    if (this.rules.isBeyondQuota(ruleClass)) this.#keeper.keepQuotas();
  }

  /** Frees pages of classes that stand for nothing any more; in portions, between which reads go on. */
  dropRuleClasses(isStale: (ruleClass: number) => boolean): Promise<void> {
    return this.#keeper.dropClasses(isStale);
  }

  /** Drops pages whose time is over, and what is beyond a quota; in portions, between which reads go on. */
  keepRules(nowMs: number): Promise<void> {
    return this.#keeper.keep(nowMs);
  }

  put(version: VersionId, index: number, data: Uint8Array, options?: PutOptions): Promise<PutResult> {
    if (this.#closing) return Promise.resolve({ stored: false, reason: "the store is closed" });
    const name = `${version}-${index}`;
    const other = this.#puts.get(name);
    if (other && !other.page.cancelled) return other.result;
    const ruleClass = options?.ruleClass ?? ruleless;
    const page: PageWrite = { version, index, lengthBytes: data.length, ruleClass, cancelled: false, place: -1 };
    const checksums = options?.checksums;
    const freeze = options?.admission === "freeze";
    const written = other === undefined ? this.#tryPut(page, data, freeze, checksums) : undefined;
    if (written !== undefined) {
      if (this.rules.isBeyondQuota(ruleClass())) this.#keeper.keepQuotas();
      return Promise.resolve(written);
    }
    const result = this.#put(page, data, freeze, checksums).finally(() => {
      this.#writes.delete(page);
      if (this.#puts.get(name)?.page === page) this.#puts.delete(name);
      if (this.rules.isBeyondQuota(ruleClass())) this.#keeper.keepQuotas();
    });
    this.#puts.set(name, { page, result });
    return result;
  }

  invalidate(version: VersionId): number {
    for (const write of this.#writes.values()) if (write.version === version) write.cancelled = true;
    const pages = new Set<number>();
    for (const volume of this.#volumes) {
      for (const slot of volume.table.slotsOf(version)) {
        pages.add(volume.table.indexOf(slot));
        volume.drop(slot, "invalidated");
      }
    }
    return pages.size;
  }

  cachedRuns(version: VersionId): PageRun[] {
    const indices = this.#volumes.flatMap(({ table }) => table.slotsOf(version).map((slot) => table.indexOf(slot)));
    indices.sort((a, b) => a - b);
    const runs: { first: number; last: number }[] = [];
    for (const index of indices) {
      const run = runs.at(-1);
      if (run && index <= run.last + 1) run.last = index;
      else runs.push({ first: index, last: index });
    }
    return runs;
  }

  stats(): LocalTierStats[] {
    return this.#tiers.map((tier) => {
      const sum = (value: (volume: Volume) => number): number =>
        tier.volumes.reduce((total, volume) => total + value(volume), 0);
      const error = tier.volumes.find((volume) => volume.health.error !== undefined)?.health.error;
      return {
        name: tier.name,
        directories: tier.volumes.map((volume) => volume.directory),
        limitBytes: sum((volume) => volume.budget.limitBytes),
        usedBytes: sum((volume) => volume.budget.usedBytes),
        pages: sum((volume) => volume.table.size),
        evictedPages: sum((volume) => volume.evictedPages),
        evictedBytes: sum((volume) => volume.evictedBytes),
        ttlPages: sum((volume) => volume.ttlPages),
        quotaPages: sum((volume) => volume.quotaPages),
        pinnedBytes: sum((volume) => volume.pins.heldBytes),
        unpinnedBytes: sum((volume) => volume.pins.unheldBytes),
        corruptPages: sum((volume) => volume.corruptPages),
        storedPages: sum((volume) => volume.storedPages),
        storedBytes: sum((volume) => volume.storedBytes),
        demotedPages: tier.demotedPages,
        droppedDemotions: tier.droppedDemotions,
        refusedDemotions: tier.refusedDemotions,
        promotedPages: tier.promotedPages,
        verifiedPages: tier.verifiedPages,
        ...(error === undefined ? {} : { error }),
      };
    });
  }

  /** Resolves when nothing is being written, moved or removed. */
  async idle(): Promise<void> {
    while (!this.#closing && this.#puts.size + this.#demotions.size + this.#promotions.size > 0) {
      await Promise.allSettled(this.#puts.values().map((put) => put.result));
      await Promise.all([this.#demotions.idle(), this.#promotions.idle()]);
      await Promise.all(this.#volumes.map((volume) => volume.idle()));
    }
    await Promise.all(this.#volumes.map((volume) => volume.idle()));
  }

  close(): Promise<void> {
    this.#keeper.close();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For the volumes: takes a page that leaves its tier, if it can be copied to a slower one. */
  demote(volume: Volume, slot: number): boolean {
    const at = this.#tierOf.get(volume)!;
    const tier = this.#tiers[at]!;
    if (at + 1 >= this.#tiers.length || this.#closing) return false;
    const version = volume.table.versionOf(slot);
    const index = volume.table.indexOf(slot);
    for (const slower of this.#volumes) {
      if (this.#tierOf.get(slower)! > at && slower.table.find(version, index) >= 0) return false;
    }
    const page = this.#copyOf(volume, slot);
    const target = this.#homeOf(this.#tiers[at + 1]!, page);
    if (target && !target.admits(page, volume.table.hashOf(slot), volume.frequencyOf(slot))) {
      tier.refusedDemotions++;
      return false;
    }
    this.#writes.add(page);
    if (this.#demotions.push(() => this.#demote(tier, at, volume, page))) return true;
    this.#writes.delete(page);
    tier.droppedDemotions++;
    return false;
  }

  /** For the volumes: remembers why a page is not here, unless another tier still has it. */
  noteGone(version: VersionId, index: number, reason: DropReason): void {
    if (this.peek(version, index) === undefined) this.#memory.remember(version, index, reason);
  }

  /**
   * Looks through all pages: what each tier holds, by age and by use, and the bytes of every version. In portions, between which
   * reads go on: what comes and goes meanwhile may be counted or not.
   */
  async inventory(nowMs: number): Promise<StoreInventory> {
    const inventory = new StoreInventory(this.#versions, nowMs);
    for (const { name, volumes } of this.#tiers) {
      for (const { table } of volumes) {
        for (let from = 0; from < table.top; from += INVENTORY_PORTION) {
          inventory.add(name, table, from, Math.min(table.top, from + INVENTORY_PORTION));
          await new Promise(setImmediate);
        }
      }
    }
    return inventory;
  }

  async #openVerified(
    version: VersionId,
    index: number,
    options: OpenOptions | undefined,
    volume: Volume,
    file: OpenFile,
    verification: Promise<boolean>,
  ): Promise<PageRef | undefined> {
    const lengthBytes = volume.table.lengthOf(file.slot);
    if (!(await verification) || this.#closing) {
      volume.release(file);
      // A slower tier may hold a good copy.
      return this.open(version, index, options);
    }
    return file.retired ? new FilePageRef(volume, file, lengthBytes) : this.#use(volume, file.slot, file);
  }

  /** Hands a page out, and counts the use. */
  #use(volume: Volume, slot: number, file: OpenFile): PageRef {
    volume.hit(slot);
    // The file is held. Its slot is not: the room for a promotion may be made by a demotion, and the room for that by this page.
    const lengthBytes = volume.table.lengthOf(slot);
    const at = this.#tierOf.get(volume)!;
    if (at > 0) this.#notePromotable(volume, slot);
    return new FilePageRef(volume, file, lengthBytes);
  }

  #isSampled(): boolean {
    if (this.#sampleBelow === 0) return false;
    this.#random = mix32(this.#random + 0x9e3779b9);
    return this.#random < this.#sampleBelow;
  }

  #homeOf(tier: Tier, page: PageWrite): Volume | undefined {
    const { volumes } = tier;
    const home = (this.#versions.hashOfPage(page.version, page.index) >>> 8) % volumes.length;
    for (let step = 0; step < volumes.length; step++) {
      const volume = volumes[(home + step) % volumes.length]!;
      if (volume.health.writable && volume.fits(page.lengthBytes)) return volume;
    }
    return undefined;
  }

  /** Writes the page at once where its first home can. Undefined: #put() has to, or says what is wrong. */
  #tryPut(page: PageWrite, data: Uint8Array, freeze: boolean, checksums?: Uint32Array): PutResult | undefined {
    try {
      checkPage(page);
      if (this.peek(page.version, page.index) !== undefined) return undefined;
      const homes = this.#homesOf(page);
      const [first] = homes;
      if (first === undefined || !first.tryWriteNew(page, data, freeze, checksums)) return undefined;
      this.#noteMiss(page, homes, first);
      return { stored: true, tier: first.tier };
    } catch {
      return undefined;
    }
  }

  #homesOf(page: PageWrite): Volume[] {
    return this.#tiers.flatMap((tier) => this.#homeOf(tier, page) ?? []);
  }

  async #put(page: PageWrite, data: Uint8Array, freeze: boolean, checksums?: Uint32Array): Promise<PutResult> {
    checkPage(page);
    this.#writes.add(page);
    const present = this.peek(page.version, page.index);
    if (present !== undefined) return { stored: true, tier: present };
    const homes = this.#homesOf(page);
    const last = homes.at(-1);
    if (last === undefined) return this.#refuse(page, this.#whyNoHome(page));
    const trailer = makeTrailer(page.version, page.index, data, checksums);
    let reason = "no tier has room";
    for (const volume of homes) {
      const reserved = freeze
        ? volume.tryReserveFree(page.lengthBytes)
        : volume.tryReserve(page.lengthBytes) || (volume === last && (await volume.reserve(page.lengthBytes)));
      if (!reserved) continue;
      const outcome = await volume.writeNew(page, data, trailer);
      if (outcome === "stored") {
        this.#noteMiss(page, homes, volume);
        return { stored: true, tier: volume.tier };
      }
      if (outcome === "cancelled") return { stored: false, reason: "the version was invalidated meanwhile" };
      reason = `tier ${volume.tier}: ${volume.health.error ?? "the page could not be written"}`;
    }
    return this.#refuse(page, reason);
  }

  /** Tells the tiers that did not get a new page that it was asked for: they judge by it when it is offered to them. */
  #noteMiss(page: PageWrite, homes: readonly Volume[], taken: Volume): void {
    const hash = this.#versions.hashOfPage(page.version, page.index);
    for (const home of homes) if (home !== taken) home.noteMiss(hash, page.ruleClass());
  }

  #refuse(page: PageWrite, reason: string): PutResult {
    this.#memory.remember(page.version, page.index, "admission_refused");
    return { stored: false, reason };
  }

  #whyNoHome(page: PageWrite): string {
    const fitting = this.#volumes.find((volume) => volume.fits(page.lengthBytes));
    if (fitting === undefined) return `the page of ${page.lengthBytes} bytes is larger than every tier`;
    return `tier ${fitting.tier}: ${fitting.health.error ?? "takes no pages now"}`;
  }

  /** A copy of a page to be made; invalidation cancels it. */
  #copyOf(volume: Volume, slot: number): PageWrite {
    const { table } = volume;
    const version = table.versionOf(slot);
    const index = table.indexOf(slot);
    return {
      version,
      index,
      lengthBytes: table.lengthOf(slot),
      ruleClass: () => table.ruleClassOf(table.find(version, index)),
      cameMs: table.cameMs(slot),
      cancelled: false,
      place: -1,
    };
  }

  async #demote(tier: Tier, at: number, volume: Volume, page: PageWrite): Promise<void> {
    let copied = false;
    for (let below = at + 1; below < this.#tiers.length && !copied && !page.cancelled; below++) {
      const target = this.#homeOf(this.#tiers[below]!, page);
      if (target === undefined) continue;
      if (target.tryReserve(page.lengthBytes) || (await target.reserve(page.lengthBytes))) {
        copied = await this.#copy(volume, target, page);
      }
    }
    this.#writes.delete(page);
    if (copied) tier.demotedPages++;
    else if (!page.cancelled) tier.droppedDemotions++;
    const slot = this.#slotOf(volume, page);
    if (slot >= 0 && volume.table.has(slot, LEAVING)) volume.drop(slot, "evicted");
  }

  /** On the second hit on a slower tier: a copy to the first, if it has room without evicting for it now. */
  #notePromotable(volume: Volume, slot: number): void {
    const { table } = volume;
    if (!table.has(slot, HIT_ONCE)) {
      table.set(slot, HIT_ONCE);
      return;
    }
    if (table.has(slot, PROMOTING) || table.has(slot, LEAVING)) return;
    const page = this.#copyOf(volume, slot);
    table.set(slot, PROMOTING);
    this.#writes.add(page);
    if (this.#promotions.push(() => this.#promote(volume, page))) return;
    this.#writes.delete(page);
    table.clear(slot, PROMOTING);
  }

  async #promote(volume: Volume, page: PageWrite): Promise<void> {
    const target = this.#homeOf(this.#tiers[0]!, page);
    if (target?.tryReserve(page.lengthBytes) && (await this.#copy(volume, target, page))) {
      this.#tiers[this.#tierOf.get(volume)!]!.promotedPages++;
    }
    this.#writes.delete(page);
    const slot = this.#slotOf(volume, page);
    if (slot >= 0) volume.table.clear(slot, PROMOTING);
  }

  /**
   * Copies a page file into reserved bytes. The system copies, no byte passes through this process; the copy is checked
   * like any page of an earlier process when it is first read.
   */
  async #copy(from: Volume, to: Volume, page: PageWrite): Promise<boolean> {
    const slot = this.#slotOf(from, page);
    const source = slot >= 0 ? from.pathOf(slot) : "";
    if (slot < 0) page.cancelled = true;
    const copy = async (temporary: string) => {
      await fs.promises.copyFile(source, temporary, fs.constants.COPYFILE_EXCL);
      // For the next process: the file's time is all that it will know of the page's age.
      if (page.cameMs !== undefined && this.rules.ttlMsOf(page.ruleClass()) !== undefined) {
        await fs.promises.utimes(temporary, page.cameMs / 1000, page.cameMs / 1000);
      }
    };
    return (await to.write(page, false, copy)) === "stored";
  }

  #slotOf(volume: Volume, page: PageWrite): number {
    return volume.table.find(page.version, page.index);
  }

  async #close(): Promise<void> {
    await Promise.allSettled(this.#puts.values().map((put) => put.result));
    await Promise.all([this.#demotions.close(), this.#promotions.close()]);
    await Promise.all(this.#volumes.map((volume) => volume.close()));
  }
}

const ruleless = () => 0;

function locationOf(ref: PageRef | undefined): PageLocation | undefined {
  if (!(ref instanceof FilePageRef)) return undefined;
  const { tier, path, position, lengthBytes } = ref;
  ref.release();
  return path === undefined ? undefined : { tier, path, position, lengthBytes };
}

function checkPage(page: PageWrite): void {
  if (!(Number.isInteger(page.index) && page.index >= 0 && page.index <= MAX_PAGE_INDEX)) {
    throw new RinglightError("RL_BAD_REQUEST", `${page.index} is not the index of a page`);
  }
  if (page.lengthBytes > MAX_PAGE_BYTES) {
    throw new RinglightError("RL_BAD_REQUEST", `a page holds at most ${MAX_PAGE_BYTES} bytes, not ${page.lengthBytes}`);
  }
}
