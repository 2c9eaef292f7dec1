/** Plain implementations of the policies on maps and arrays, against which the ones on typed arrays are checked step by step. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createEvictionPolicy, type EvictionPolicyName } from "./eviction-policy.ts";
import { mix32 } from "./version-table.ts";

interface PlainPolicy {
  insert(page: number): void;
  hit(page: number): void;
  remove(page: number): void;
  /** The page to leave, taken out. */
  victim(): number;
}

const hashOf = (page: number): number => mix32(page + 1);

class PlainLru implements PlainPolicy {
  readonly order = new Set<number>();
  insert(page: number): void {
    this.order.add(page);
  }
  hit(page: number): void {
    this.order.delete(page);
    this.order.add(page);
  }
  remove(page: number): void {
    this.order.delete(page);
  }
  victim(): number {
    const [page] = this.order;
    this.order.delete(page!);
    return page!;
  }
}

class PlainSieve implements PlainPolicy {
  /** Oldest first. */
  queue: number[] = [];
  readonly visited = new Set<number>();
  hand: number | undefined;
  insert(page: number): void {
    this.queue.push(page);
  }
  hit(page: number): void {
    this.visited.add(page);
  }
  remove(page: number): void {
    if (this.hand === page) this.hand = this.queue[this.queue.indexOf(page) + 1];
    this.queue = this.queue.filter((other) => other !== page);
    this.visited.delete(page);
  }
  victim(): number {
    let at = this.hand === undefined ? 0 : this.queue.indexOf(this.hand);
    while (this.visited.delete(this.queue[at]!)) at = (at + 1) % this.queue.length;
    const page = this.queue[at]!;
    this.hand = page;
    this.remove(page);
    return page;
  }
}

/** The ghost: sets of four pages, of which the oldest goes. */
class PlainGhost {
  readonly sets = new Map<number, { page: number; time: number }[]>();
  now = 1;
  setOf(page: number): { page: number; time: number }[] {
    const number = Number((((BigInt(hashOf(page)) * 0x9e3779b1n) % 2n ** 32n) / 256n / 4n) % 64n);
    const set = this.sets.get(number) ?? [];
    this.sets.set(number, set);
    return set;
  }
  add(page: number): void {
    const set = this.setOf(page);
    const known = set.findIndex((entry) => entry.page === page);
    if (known >= 0) set.splice(known, 1);
    else if (set.length === 4) set.shift();
    set.push({ page, time: this.now++ });
  }
  take(page: number, span: number): boolean {
    const set = this.setOf(page);
    const known = set.findIndex((entry) => entry.page === page);
    return known >= 0 && this.now - set.splice(known, 1)[0]!.time <= span;
  }
}

class PlainS3Fifo implements PlainPolicy {
  small: number[] = [];
  main: number[] = [];
  readonly hits = new Map<number, number>();
  readonly ghost = new PlainGhost();
  insert(page: number): void {
    this.hits.set(page, 0);
    const isKnown = this.ghost.take(page, (this.small.length + this.main.length) * 0.9);
    (isKnown ? this.main : this.small).push(page);
  }
  hit(page: number): void {
    this.hits.set(page, Math.min(3, this.hits.get(page)! + 1));
  }
  remove(page: number): void {
    this.small = this.small.filter((other) => other !== page);
    this.main = this.main.filter((other) => other !== page);
  }
  victim(): number {
    const isSmallFirst = this.small.length >= (this.small.length + this.main.length) * 0.1 || this.main.length === 0;
    return (isSmallFirst ? this.fromSmall() : undefined) ?? this.fromMain() ?? this.fromSmall()!;
  }
  fromSmall(): number | undefined {
    for (let page = this.small.shift(); page !== undefined; page = this.small.shift()) {
      if (this.hits.get(page)! < 2) {
        this.ghost.add(page);
        return page;
      }
      this.hits.set(page, 0);
      this.main.push(page);
    }
    return undefined;
  }
  fromMain(): number | undefined {
    for (let page = this.main.shift(); page !== undefined; page = this.main.shift()) {
      const hits = this.hits.get(page)!;
      if (hits === 0) return page;
      this.hits.set(page, hits - 1);
      this.main.push(page);
    }
    return undefined;
  }
}

/** The sketch as a map of cells: no packing, no growth (the caches here are smaller than its first size). */
class PlainSketch {
  readonly cells = new Map<string, number>();
  readonly door = new Set<string>();
  pages = 0;
  additions = 0;
  cellsOf(hash: number): string[] {
    const spread = mix32(hash ^ 0x5bd1e995);
    return [0, 1, 2, 3].map(
      (row) => `${hash % 64}/${row}/${Math.floor(((Math.floor(spread / 2 ** (12 + row * 5)) % 32) * 24) / 32)}`,
    );
  }
  doorsOf(hash: number): string[] {
    const spread = mix32(hash ^ 0x5bd1e995);
    const bits = [spread % 128, (Math.floor(spread / 128) % 32) + 32 * Math.floor(hash / 2 ** 30)];
    return bits.map((bit) => `${hash % 64}/${bit}`);
  }
  count(hash: number): number {
    return Math.min(...this.cellsOf(hash).map((cell) => this.cells.get(cell) ?? 0));
  }
  add(hash: number): void {
    this.additions++;
    if (this.additions >= this.pages * 10 && this.additions >= 1024) {
      for (const [cell, count] of this.cells) this.cells.set(cell, Math.floor(count / 2));
      this.door.clear();
      this.additions = Math.floor(this.additions / 2);
    }
    const doors = this.doorsOf(hash);
    if (!doors.every((bit) => this.door.has(bit))) {
      for (const bit of doors) this.door.add(bit);
      return;
    }
    const least = this.count(hash);
    if (least === 15) return;
    for (const cell of new Set(this.cellsOf(hash))) {
      if ((this.cells.get(cell) ?? 0) === least) this.cells.set(cell, least + 1);
    }
  }
  frequency(hash: number): number {
    return this.count(hash) + (this.doorsOf(hash).every((bit) => this.door.has(bit)) ? 1 : 0);
  }
}

class PlainWTinyLfu implements PlainPolicy {
  /** Each oldest first. */
  window: number[] = [];
  probation: number[] = [];
  guarded: number[] = [];
  readonly sketch = new PlainSketch();
  capacity = Number.POSITIVE_INFINITY;
  share = 0.01;
  readonly refused = new PlainGhost();
  regrets = 0;
  mainHits = 0;
  requests = 0;
  random = 0x9e3779b9;
  get size(): number {
    return this.window.length + this.probation.length + this.guarded.length;
  }
  insert(page: number): void {
    this.window.push(page);
    this.sketch.pages = Math.max(this.sketch.pages, this.size);
    this.sketch.add(hashOf(page));
    if (this.refused.take(page, this.size / 16)) this.regrets++;
    this.climb();
    const capacity = Math.min(this.capacity, this.size);
    for (let moves = 0; moves < 2; moves++) {
      if (this.window.length <= capacity * this.share) return;
      if (this.probation.length + this.guarded.length + 1 > capacity * (1 - this.share)) return;
      this.probation.push(this.window.shift()!);
    }
  }
  hit(page: number): void {
    this.sketch.add(hashOf(page));
    const isInWindow = this.window.includes(page);
    if (!isInWindow) this.mainHits++;
    this.climb();
    this.remove(page);
    if (isInWindow) {
      this.window.push(page);
      return;
    }
    const wasGuarded = this.wasGuarded;
    this.guarded.push(page);
    if (wasGuarded) return;
    const most = 0.8 * (1 - this.share) * Math.min(this.capacity, this.size);
    while (this.guarded.length > most) this.probation.push(this.guarded.shift()!);
  }
  wasGuarded = false;
  remove(page: number): void {
    this.wasGuarded = this.guarded.includes(page);
    for (const list of [this.window, this.probation, this.guarded]) {
      const at = list.indexOf(page);
      if (at >= 0) list.splice(at, 1);
    }
  }
  victim(): number {
    this.capacity = this.size - 1;
    const main = this.probation.length > 0 ? this.probation : this.guarded;
    if (main.length === 0) return this.refuse();
    if (this.window.length === 0 || this.window.length <= this.capacity * this.share) return main.shift()!;
    const ours = this.sketch.frequency(hashOf(this.window[0]!));
    const theirs = this.sketch.frequency(hashOf(main[0]!));
    let wins = ours > theirs + 1;
    if (ours === theirs && ours > 5) {
      this.random = Number((BigInt(this.random) * 1_664_525n + 1_013_904_223n) % 2n ** 32n);
      wins = this.random < 2 ** 32 / 128;
    }
    if (!wins) return this.refuse();
    const victim = main.shift()!;
    this.probation.push(this.window.shift()!);
    return victim;
  }
  refuse(): number {
    const page = this.window.shift()!;
    this.refused.add(page);
    return page;
  }
  climb(): void {
    if (++this.requests < 1000 || this.requests < this.size * 0.5) return;
    const loss = (this.mainHits * 0.0625 * 0.5) / (1 - this.share);
    this.share = Math.min(0.8, Math.max(0.01, this.share + (this.regrets > loss ? 0.0625 : -0.0625)));
    this.regrets = this.mainHits = this.requests = 0;
  }
}

const PLAIN: Partial<Record<EvictionPolicyName, () => PlainPolicy>> = {
  lru: () => new PlainLru(),
  sieve: () => new PlainSieve(),
  s3fifo: () => new PlainS3Fifo(),
  wtinylfu: () => new PlainWTinyLfu(),
};

for (const [name, make] of Object.entries(PLAIN)) {
  test(`${name} on typed arrays decides as the plain implementation does, page by page`, () => {
    const kind = fc.constantFrom("zipf", "loop", "recent", "even");
    const run = fc.record({ kind, seed: fc.nat(), capacity: fc.integer({ min: 1, max: 120 }) });
    fc.assert(
      fc.property(run, ({ kind, seed, capacity }) => {
        const plain = make();
        const pageOf: number[] = [];
        const slotOf = new Map<number, number>();
        const free = Array.from({ length: capacity }, (_, slot) => slot);
        const policy = createEvictionPolicy(name as EvictionPolicyName, {
          hashOf: (slot) => hashOf(pageOf[slot]!),
          bytesOf: () => 1,
        });
        const span = capacity * 3;
        for (let at = 0; at < 4000; at++) {
          const random = mix32(seed + at * 2_654_435_761) / 2 ** 32;
          const page =
            kind === "loop"
              ? at % span
              : kind === "recent"
                ? Math.floor(at / 8 + random ** 2 * span)
                : Math.floor((kind === "zipf" ? random ** 4 : random) * span);
          const slot = slotOf.get(page);
          if (slot !== undefined && mix32(at + seed) % 50 === 0) {
            policy.onRemove(slot);
            plain.remove(page);
            slotOf.delete(page);
            free.push(slot);
            continue;
          }
          if (slot !== undefined) {
            policy.onHit(slot);
            plain.hit(page);
            continue;
          }
          if (free.length === 0) {
            const victims: number[] = [];
            policy.victims(1, 1, victims);
            assert.equal(pageOf[victims[0]!], plain.victim(), `request ${at}`);
            slotOf.delete(pageOf[victims[0]!]!);
            free.push(victims[0]!);
          }
          const taken = free.pop()!;
          pageOf[taken] = page;
          slotOf.set(page, taken);
          policy.onInsert(taken);
          plain.insert(page);
        }
      }),
      { numRuns: 40 },
    );
  });
}
