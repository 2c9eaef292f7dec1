/**
 * Sees to it that rules by path are kept: pages leave when their time is over, and when there are more bytes of a quota than it
 * allows. Both look through the index in portions, between which reads go on; a look at a page of no rule is a look at one byte.
 */
import * as fs from "node:fs";
import type { PageRules } from "./page-rules.ts";
import { LEAVING } from "./page-table.ts";
import type { Volume } from "./volume.ts";

/** Pages of no rule that are looked at in one turn of the event loop; how many such a page of a rule costs, and one that is dropped. */
const PORTION = 16_384;
const LOOK_COST = 3;
const VISIT_COST = 64;
/** A quota that was exceeded is emptied to this share of it, so that the next pages do not each cost a look through the index. */
const QUOTA_SHARE = 0.95;

/** Ranks by use and then by age: the lowest leave first. Uses are what the eviction policy counts, 15 at the most. */
const USES = 16;
const AGES = 64;

/** The keeper of one store. */
export class RuleKeeper {
  readonly #rules: PageRules;
  readonly #volumes: readonly Volume[];
  #quotas: Promise<void> | undefined;
  #closed = false;

  constructor(rules: PageRules, volumes: readonly Volume[]) {
    this.#rules = rules;
    this.#volumes = volumes;
  }

  close(): void {
    this.#closed = true;
  }

  /** Everything that has become due. */
  async keep(nowMs: number): Promise<void> {
    if (this.#rules.hasTtl) await this.#dropExpired(nowMs);
    this.keepQuotas();
    await this.#quotas;
  }

  /** Begins to empty the quotas that are exceeded, unless that goes on already. */
  keepQuotas(): void {
    this.#quotas ??= this.#emptyQuotas().finally(() => {
      this.#quotas = undefined;
    });
  }

  dropClasses(isStale: (ruleClass: number) => boolean): Promise<void> {
    return this.#walk(isStale, (volume, slot) => {
      volume.reclassify(slot, 0);
      return false;
    });
  }

  #dropExpired(nowMs: number): Promise<void> {
    const rules = this.#rules;
    return this.#walk(
      (ruleClass) => rules.ttlMsOf(ruleClass) !== undefined,
      (volume, slot) => {
        const { table } = volume;
        const known = table.cameMs(slot);
        // Found at the start: the file is as old as the page.
        const cameMs = known ?? modifiedMs(volume.pathOf(slot)) ?? nowMs;
        if (known === undefined) table.setRuleClass(slot, table.ruleClassOf(slot), nowMs, cameMs);
        const isOver = cameMs + (rules.ttlMsOf(table.ruleClassOf(slot)) ?? Number.POSITIVE_INFINITY) <= nowMs;
        if (isOver) volume.drop(slot, "ttl");
        return isOver || known === undefined;
      },
    );
  }

  async #emptyQuotas(): Promise<void> {
    // Not in the turn of the page that made it overflow.
    await new Promise(setImmediate);
    for (let [quota] = this.#rules.exceeded(); quota !== undefined && !this.#closed; [quota] = this.#rules.exceeded()) {
      if ((await this.#emptyQuota(quota)) === 0) return;
    }
  }

  /** What was asked for least leaves first, and of that what has been here for longest. Returns how many pages left. */
  async #emptyQuota(quota: number): Promise<number> {
    const classes = new Set(this.#rules.classesOf(quota));
    const isOf = (ruleClass: number) => classes.has(ruleClass);
    const nowMs = Date.now();
    const bytesByRank = new Float64Array(USES * AGES);
    await this.#walk(isOf, (volume, slot) => {
      bytesByRank[rankOf(volume, slot, nowMs)]! += volume.table.bytesOf(slot);
      return false;
    });
    // All of the ranks below `last` leave, and some of `last`.
    let left = this.#rules.excessOf(quota, QUOTA_SHARE);
    let last = 0;
    while (last < bytesByRank.length - 1 && bytesByRank[last]! < left) left -= bytesByRank[last++]!;
    let dropped = 0;
    await this.#walk(isOf, (volume, slot) => {
      const rank = rankOf(volume, slot, nowMs);
      if (rank > last || (rank === last && left <= 0)) return false;
      if (rank === last) left -= volume.table.bytesOf(slot);
      volume.drop(slot, "quota");
      dropped++;
      return true;
    });
    return dropped;
  }

  /** Visits the pages of some classes. A visit that costs more than a look says so. */
  async #walk(
    isMeant: (ruleClass: number) => boolean,
    visit: (volume: Volume, slot: number) => boolean,
  ): Promise<void> {
    let cost = 0;
    for (const volume of this.#volumes) {
      const { table } = volume;
      for (let slot = 0; slot < table.top && !this.#closed; slot++) {
        if (++cost >= PORTION) {
          cost = 0;
          await new Promise(setImmediate);
        }
        const ruleClass = table.ruleClassOf(slot);
        if (ruleClass === 0 || !isMeant(ruleClass) || table.lengthOf(slot) === 0 || table.has(slot, LEAVING)) continue;
        cost += visit(volume, slot) ? VISIT_COST : LOOK_COST;
      }
    }
  }
}

function rankOf(volume: Volume, slot: number, nowMs: number): number {
  const cameMs = volume.table.cameMs(slot) ?? 0;
  // Half octaves of seconds: the older, the lower.
  const age = Math.min(AGES - 1, Math.round(2 * Math.log2(Math.max(1, (nowMs - cameMs) / 1000))));
  return Math.min(USES - 1, volume.frequencyOf(slot)) * AGES + (AGES - 1 - age);
}

function modifiedMs(path: string): number | undefined {
  try {
    return fs.statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}
