/** What a page store holds at one moment, by tier, age and use, and by version. */
import type { VersionId } from "@ringlight/core";
import type { PageTable } from "./page-table.ts";
import type { VersionTable } from "./version-table.ts";

/** Pages of one kind and their bytes. */
export interface PageSum {
  readonly pages: number;
  readonly bytes: number;
}

/** Pages between two bounds, the upper one not included. */
export interface PageBand extends PageSum {
  readonly from: number;
  /** Infinity for the last band; undefined, as `from` is -1, for what is not known. */
  readonly to: number;
}

/** What one tier holds. */
export interface TierInventory extends PageSum {
  readonly name: string;
  /** By milliseconds since the page came; from -1 to 0: pages that an earlier process left, of which that is not known. */
  readonly ages: readonly PageBand[];
  /** By number of uses since the page came. */
  readonly uses: readonly PageBand[];
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const AGES = [-1, 0, 20 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY];
const USES = [0, 1, 2, 4, 8, 16, 64, 255];

/** Sums by the bands that begin at `starts`. */
class Bands {
  readonly #starts: readonly number[];
  readonly #pages: Float64Array;
  readonly #bytes: Float64Array;

  constructor(starts: readonly number[]) {
    this.#starts = starts;
    this.#pages = new Float64Array(starts.length);
    this.#bytes = new Float64Array(starts.length);
  }

  add(value: number, bytes: number): void {
    let band = this.#starts.length - 1;
    while (band > 0 && this.#starts[band]! > value) band--;
    this.#pages[band]!++;
    this.#bytes[band]! += bytes;
  }

  list(): PageBand[] {
    return this.#starts.map((from, band) => ({
      from,
      to: this.#starts[band + 1] ?? Number.POSITIVE_INFINITY,
      pages: this.#pages[band]!,
      bytes: this.#bytes[band]!,
    }));
  }
}

/** Filled by LocalPageStore.inventory(). Versions are told apart by their number in the index, which may change with time: not to be kept. */
export class StoreInventory {
  readonly #versions: VersionTable;
  readonly #nowMs: number;
  readonly #tiers = new Map<string, { pages: number; bytes: number; readonly ages: Bands; readonly uses: Bands }>();
  /** Bytes of pages that are the only ones of their version, by table and slot: they have no number. */
  readonly #soleBytes = new Map<PageTable, Uint32Array>();
  #bytes = new Float64Array(1024);
  #pages = new Uint32Array(1024);
  #bytesLeft = 0;
  #pagesLeft = 0;

  constructor(versions: VersionTable, nowMs: number) {
    this.#versions = versions;
    this.#nowMs = nowMs;
  }

  /** Counts the pages of some slots of a tier. */
  add(name: string, table: PageTable, from: number, to: number): void {
    let tier = this.#tiers.get(name);
    if (tier === undefined) {
      tier = { pages: 0, bytes: 0, ages: new Bands(AGES), uses: new Bands(USES) };
      this.#tiers.set(name, tier);
    }
    for (let slot = from; slot < to; slot++) {
      const bytes = table.lengthOf(slot);
      if (bytes === 0) continue;
      const version = table.versionRefOf(slot);
      if (version < 0) this.#soleOf(table, to)[slot] = bytes;
      else {
        if (version >= this.#bytes.length) this.#grow(version + 1);
        this.#bytes[version]! += bytes;
        this.#pages[version]!++;
      }
      this.#bytesLeft += bytes;
      this.#pagesLeft++;
      tier.pages++;
      tier.bytes += bytes;
      tier.ages.add(table.ageOf(slot, this.#nowMs) ?? -1, bytes);
      tier.uses.add(table.usesOf(slot), bytes);
    }
  }

  /** What is held of a version, on all tiers together; of each version once, and then nothing. @throws RL_BAD_REQUEST */
  take(version: VersionId): PageSum | undefined {
    const ref = this.#versions.find(version);
    let pages = this.#pages[ref] ?? 0;
    let bytes = this.#bytes[ref] ?? 0;
    if (ref >= 0) {
      this.#pages[ref] = 0;
      this.#bytes[ref] = 0;
    }
    for (const [table, soleBytes] of this.#soleBytes) {
      const slot = table.find(version, 0);
      const sole = soleBytes[slot] ?? 0;
      if (sole === 0) continue;
      soleBytes[slot] = 0;
      bytes += sole;
      pages++;
    }
    if (pages === 0) return undefined;
    this.#pagesLeft -= pages;
    this.#bytesLeft -= bytes;
    return { pages, bytes };
  }

  /** What was not taken. */
  get left(): PageSum {
    return { pages: this.#pagesLeft, bytes: this.#bytesLeft };
  }

  /** What each tier holds. */
  tiers(): TierInventory[] {
    return [...this.#tiers].map(([name, { pages, bytes, ages, uses }]) => ({
      name,
      pages,
      bytes,
      ages: ages.list(),
      uses: uses.list(),
    }));
  }

  #soleOf(table: PageTable, least: number): Uint32Array {
    const known = this.#soleBytes.get(table);
    if (known !== undefined && known.length >= least) return known;
    const bytes = new Uint32Array(Math.max(least, table.top));
    if (known !== undefined) bytes.set(known);
    this.#soleBytes.set(table, bytes);
    return bytes;
  }

  #grow(least: number): void {
    const length = Math.max(least, this.#bytes.length * 2);
    const bytes = new Float64Array(length);
    bytes.set(this.#bytes);
    this.#bytes = bytes;
    const pages = new Uint32Array(length);
    pages.set(this.#pages);
    this.#pages = pages;
  }
}
