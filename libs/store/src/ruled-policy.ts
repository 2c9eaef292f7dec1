/**
 * The eviction policy of a volume as rules by path shape it: a policy of its own for each level of priority, made when its first
 * page comes, and no policy at all for pages that a pin keeps. A volume without such pages has one policy, and asks it as if this
 * were not there.
 */
import type { EvictionPolicy } from "./eviction-policy.ts";
import type { PageRules } from "./page-rules.ts";
import { HELD, LEAVING, type PageTable } from "./page-table.ts";

/** Share of a volume that pins may take. The rest is for everybody: a tier whose every page is pinned caches nothing new. */
export const PIN_SHARE = 0.75;

const NORMAL = 1;
const NOT_IN_POLICY = HELD | LEAVING;

/** See the head of the file. */
export class RuledPolicy {
  readonly #table: PageTable;
  readonly #rules: PageRules;
  readonly #make: () => EvictionPolicy;
  readonly #normal: EvictionPolicy;
  /** By level, lowest first. */
  readonly #levels: (EvictionPolicy | undefined)[];
  /** Bytes that pins may take; the volume sets it once it knows its limit. */
  pinLimitBytes = 0;
  /** Bytes that a pin keeps. */
  heldBytes = 0;
  /** Bytes of pages with a pin for which there is no room among the pins. They are evicted as their level says. */
  unheldBytes = 0;

  constructor(table: PageTable, rules: PageRules, make: () => EvictionPolicy) {
    this.#table = table;
    this.#rules = rules;
    this.#make = make;
    this.#normal = make();
    this.#levels = [undefined, this.#normal, undefined];
  }

  /** True if nothing is evicted for a newcomer. */
  get isFrozen(): boolean {
    return this.#normal.name === "freeze";
  }

  /** A page came in: because it was asked for, or `found` at the start. Its class is set. */
  enter(slot: number, found: boolean): void {
    const ruleClass = this.#table.ruleClassOf(slot);
    if (this.#rules.isPinned(ruleClass)) {
      const bytes = this.#table.bytesOf(slot);
      if (this.heldBytes + bytes <= this.pinLimitBytes) {
        this.heldBytes += bytes;
        this.#table.set(slot, HELD);
        return;
      }
      this.unheldBytes += bytes;
    }
    const policy = this.#policyOf(ruleClass);
    if (found) policy.onRecover(slot);
    else policy.onInsert(slot);
  }

  /** A page that no eviction chose is gone; the index still knows it. */
  leave(slot: number): void {
    const ruleClass = this.#table.ruleClassOf(slot);
    if (this.#table.has(slot, HELD)) {
      this.heldBytes -= this.#table.bytesOf(slot);
      this.#table.clear(slot, HELD);
      return;
    }
    this.#noteUnheld(slot, ruleClass);
    this.#policyOf(ruleClass).onRemove(slot);
  }

  /** A page has another class from now on. */
  reclassify(slot: number, ruleClass: number, nowMs: number): void {
    const table = this.#table;
    if (table.has(slot, LEAVING)) {
      table.setRuleClass(slot, ruleClass, nowMs);
      return;
    }
    const before = table.ruleClassOf(slot);
    const moves =
      this.#rules.isPinned(before) ||
      this.#rules.isPinned(ruleClass) ||
      this.#rules.levelOf(before) !== this.#rules.levelOf(ruleClass);
    if (moves) this.leave(slot);
    table.setRuleClass(slot, ruleClass, nowMs);
    if (moves) this.enter(slot, true);
  }

  onHit(slot: number): void {
    if (!this.#table.has(slot, NOT_IN_POLICY)) this.#policyOf(this.#table.ruleClassOf(slot)).onHit(slot);
  }

  onMiss(hash: number, ruleClass: number): void {
    this.#policyOf(ruleClass).onMiss(hash);
  }

  frequencyOf(hash: number, ruleClass: number): number {
    return this.#policyOf(ruleClass).frequencyOf(hash);
  }

  /** Whether a page is worth the write when another must leave for it: always if one of a lower level can, never if only those of a higher one can. */
  admits(hash: number, frequency: number, ruleClass: number): boolean {
    if (this.#rules.isPinned(ruleClass)) return this.#levels.some((policy) => policy !== undefined && policy.size > 0);
    const level = this.#rules.levelOf(ruleClass);
    if (this.#levels.some((policy, below) => below < level && policy !== undefined && policy.size > 0)) return true;
    const policy = this.#policyOf(ruleClass);
    if (policy.size === 0 && this.#levels.some((above) => above !== undefined && above.size > 0)) return false;
    return policy.admits(Math.max(frequency, policy.frequencyOf(hash)));
  }

  /** As EvictionPolicy.victims(): of the lowest level first. */
  victims(bytes: number, limit: number, into: number[]): void {
    let left = bytes;
    for (const policy of this.#levels) {
      if (policy === undefined || policy.size === 0) continue;
      const from = into.length;
      policy.victims(left, limit - from, into);
      for (let at = from; at < into.length; at++) {
        left -= this.#table.bytesOf(into[at]!);
        this.#noteUnheld(into[at]!, this.#table.ruleClassOf(into[at]!));
      }
      if (left <= 0 || into.length >= limit) return;
    }
  }

  #noteUnheld(slot: number, ruleClass: number): void {
    if (this.#rules.isPinned(ruleClass)) this.unheldBytes -= this.#table.bytesOf(slot);
  }

  #policyOf(ruleClass: number): EvictionPolicy {
    if (ruleClass === 0) return this.#normal;
    const level = this.#rules.levelOf(ruleClass);
    if (level === NORMAL) return this.#normal;
    this.#levels[level] ??= this.#make();
    return this.#levels[level];
  }
}
