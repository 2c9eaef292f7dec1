/**
 * What rules by path say of pages. The store knows no paths: whoever puts a page names its class, a number from 1 to 255 that
 * stands for everything the rules say of such pages; 0 is for pages of which no rule speaks. One byte a page, looked up when a
 * page comes and when one must go, and never when one is read.
 */

/** Which pages leave first when room is needed: all of a lower level before any of a higher one. */
export const LEVELS = ["low", "normal", "high"] as const;
const NORMAL = 1;

/** Classes that there may be. */
export const MAX_CLASSES = 256;

/** What the rules say of one class. */
export interface PageClass {
  /** Pages leave so long after they came, milliseconds. */
  readonly ttlMs?: number;
  /** Pages stay as long as pins do not take more than their share of the tier. */
  readonly pin?: boolean;
  /** Index in LEVELS; normal if nothing is said. */
  readonly level?: number;
  /** Numbers of the quotas that the pages count for. */
  readonly quotas?: readonly number[];
}

/** Pages of one class here, copies on two tiers counted twice. */
export interface ClassUsage {
  readonly pages: number;
  /** As accounted against the tiers' limits. */
  readonly bytes: number;
}

/** The classes of one store, what there is of each, and the quotas. Shared by its volumes. */
export class PageRules {
  readonly #classes: (PageClass | undefined)[] = [];
  readonly #levels = new Uint8Array(MAX_CLASSES).fill(NORMAL);
  readonly #pins = new Uint8Array(MAX_CLASSES);
  readonly #pages = new Float64Array(MAX_CLASSES);
  readonly #bytes = new Float64Array(MAX_CLASSES);
  #quotaBytes: ReadonlyMap<number, number> = new Map();

  /** Says what a class stands for; undefined where it stands for nothing any more, and no page has it. */
  define(ruleClass: number, what: PageClass | undefined): void {
    this.#classes[ruleClass] = what;
    this.#levels[ruleClass] = what?.level ?? NORMAL;
    this.#pins[ruleClass] = what?.pin === true ? 1 : 0;
  }

  /** Bytes that the pages of each quota may have here, by its number. */
  set quotas(bytes: ReadonlyMap<number, number>) {
    this.#quotaBytes = bytes;
  }

  /** Index in LEVELS. */
  levelOf(ruleClass: number): number {
    return this.#levels[ruleClass]!;
  }

  isPinned(ruleClass: number): boolean {
    return this.#pins[ruleClass] === 1;
  }

  ttlMsOf(ruleClass: number): number | undefined {
    return this.#classes[ruleClass]?.ttlMs;
  }

  /** True if pages of some class leave after a time. */
  get hasTtl(): boolean {
    return this.#classes.some((known) => known?.ttlMs !== undefined);
  }

  /** Counts pages that came or, with negative numbers, left. */
  account(ruleClass: number, pages: number, bytes: number): void {
    this.#pages[ruleClass]! += pages;
    this.#bytes[ruleClass]! += bytes;
  }

  usageOf(ruleClass: number): ClassUsage {
    return { pages: this.#pages[ruleClass]!, bytes: this.#bytes[ruleClass]! };
  }

  /** True if a page of the class, which has just come, made one of its quotas overflow. */
  isBeyondQuota(ruleClass: number): boolean {
    return this.#classes[ruleClass]?.quotas?.some((quota) => this.excessOf(quota, 1) > 0) ?? false;
  }

  /** Numbers of the quotas that are exceeded. */
  exceeded(): number[] {
    return [...this.#quotaBytes.keys()].filter((quota) => this.excessOf(quota, 1) > 0);
  }

  /** Bytes by which the pages of a quota are more than a share of it. */
  excessOf(quota: number, share: number): number {
    let bytes = 0;
    for (const ruleClass of this.classesOf(quota)) bytes += this.#bytes[ruleClass]!;
    return bytes - share * (this.#quotaBytes.get(quota) ?? Number.POSITIVE_INFINITY);
  }

  /** The classes whose pages count for a quota. */
  *classesOf(quota: number): Generator<number> {
    for (const [ruleClass, known] of this.#classes.entries()) if (known?.quotas?.includes(quota)) yield ruleClass;
  }
}
