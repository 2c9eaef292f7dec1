/** Adaptive W-TinyLFU. */
import type { EvictablePages, EvictionPolicy } from "./eviction-policy.ts";
import { FrequencySketch } from "./frequency-sketch.ts";
import { SlotLinks, SlotList } from "./slot-list.ts";
import { grown } from "./typed-array.ts";
import { WindowClimber } from "./window-climber.ts";

/** Share of the main part's bytes that its protected list may hold. */
const PROTECTED_SHARE = 0.8;
/** By how much a newcomer must have been asked for more often. */
const MARGIN = 1;
/** A newcomer asked for more often than this may win a tie, seldom: else one who knows the hash could keep pages out. */
const WARM_FREQUENCY = 5;
const LUCK = 1 / 128;

const WINDOW = 0;
const PROBATION = 1;
const PROTECTED = 2;

/**
 * W-TinyLFU (Einziger, Friedman, Manes, ACM Transactions on Storage 2017) with an adaptive window (Einziger, Eytan,
 * Friedman, Manes, Middleware 2018), weighted by bytes. New pages enter a window in order of recency. What leaves the
 * window must have been asked for at least twice more than the page that the main part would give up, or it goes itself.
 * The main part is segmented: probation, and of 80 % protected, where a second hit leads. So a scan passes through the
 * window alone. The share of the window adapts (WindowClimber).
 *
 * Why twice more, and not once: of two pages that are read once an epoch, the one read in this epoch already is ahead by
 * one, and is the one not needed for longest. With the margin the main part stays as it is, which is the best that can be
 * done for epochs (docs/adr/0009-index-and-eviction.md has the figures), and queries lose nothing.
 *
 * Eviction comes in batches: between two of them the window holds what came in beyond its share, and the contest is held
 * one by one, oldest first, when room is needed. Until the first eviction everything finds room, and pages move on to the
 * main part without contest.
 */
export class WTinyLfuPolicy implements EvictionPolicy {
  readonly name = "wtinylfu";
  readonly #pages: EvictablePages;
  readonly #recentBytes: number;
  readonly #links = new SlotLinks();
  readonly #window: SlotList;
  readonly #probation: SlotList;
  readonly #protected: SlotList;
  readonly #sketch = new FrequencySketch();
  readonly #climber = new WindowClimber();
  #segment = new Uint8Array(64);
  /** Bytes that the cache holds when it is full, as the last eviction left it; infinite before. */
  #capacityBytes = Number.POSITIVE_INFINITY;
  #random = 0x9e3779b9;

  /** The window's share never means fewer bytes than `recentBytes`. */
  constructor(pages: EvictablePages, recentBytes: number) {
    this.#pages = pages;
    this.#recentBytes = recentBytes;
    this.#window = new SlotList(this.#links, pages);
    this.#probation = new SlotList(this.#links, pages);
    this.#protected = new SlotList(this.#links, pages);
  }

  get size(): number {
    return this.#window.size + this.#probation.size + this.#protected.size;
  }

  /** Share of the bytes that the window may have now. */
  get windowShare(): number {
    return this.#climber.share;
  }

  onInsert(slot: number): void {
    this.#enter(slot, this.#window, WINDOW);
    const hash = this.#pages.hashOf(slot);
    this.#sketch.add(hash);
    this.#climber.onMiss(hash, this.size);
    this.#fillMain();
  }

  /** Straight to the main part: the window is for what is new. */
  onRecover(slot: number): void {
    this.#enter(slot, this.#probation, PROBATION);
  }

  onHit(slot: number): void {
    this.#sketch.add(this.#pages.hashOf(slot));
    const segment = this.#segment[slot];
    this.#climber.onHit(segment !== WINDOW, this.size);
    if (segment === WINDOW) {
      this.#window.toHead(slot);
    } else if (segment === PROTECTED) {
      this.#protected.toHead(slot);
    } else {
      this.#probation.remove(slot);
      this.#segment[slot] = PROTECTED;
      this.#protected.pushHead(slot);
      const most = PROTECTED_SHARE * (1 - this.#climber.share) * Math.min(this.#capacityBytes, this.#bytes());
      while (this.#protected.bytes > most) this.#move(this.#protected, this.#protected.tail, PROBATION);
    }
  }

  onRemove(slot: number): void {
    this.#listOf(slot).remove(slot);
  }

  onMiss(hash: number): void {
    this.#sketch.add(hash);
  }

  frequencyOf(hash: number): number {
    return this.#sketch.frequencyOf(hash);
  }

  admits(frequency: number): boolean {
    const victim = this.#mainVictim();
    return victim < 0 || frequency > this.#sketch.frequencyOf(this.#pages.hashOf(victim)) + MARGIN;
  }

  victims(bytes: number, limit: number, into: number[]): void {
    const target = Math.max(0, this.#bytes() - bytes);
    this.#capacityBytes = target;
    const windowBytes = Math.max(this.#recentBytes, target * this.#climber.share);
    for (let count = 0; count < limit && this.#bytes() > target && this.size > 0; count++) {
      const slot = this.#victim(windowBytes);
      this.#listOf(slot).remove(slot);
      if (this.#segment[slot] === WINDOW) this.#climber.onRefused(this.#pages.hashOf(slot), this.size);
      into.push(slot);
    }
  }

  #enter(slot: number, list: SlotList, segment: typeof WINDOW | typeof PROBATION): void {
    this.#links.reserve(slot);
    if (slot >= this.#segment.length) this.#segment = grown(this.#segment, slot + 1);
    this.#segment[slot] = segment;
    list.pushHead(slot);
    this.#sketch.fit(this.size);
  }

  /** The page to go: the main part's last, or the window's last where the window is too large and its page is not worth more. */
  #victim(windowBytes: number): number {
    const victim = this.#mainVictim();
    const candidate = this.#window.tail;
    if (victim < 0) return candidate;
    if (candidate < 0 || this.#window.bytes <= windowBytes) return victim;
    if (!this.#wins(candidate, victim)) return candidate;
    this.#move(this.#window, candidate, PROBATION);
    return victim;
  }

  #wins(candidate: number, victim: number): boolean {
    const ours = this.#sketch.frequencyOf(this.#pages.hashOf(candidate));
    const theirs = this.#sketch.frequencyOf(this.#pages.hashOf(victim));
    if (ours !== theirs || ours <= WARM_FREQUENCY) return ours > theirs + MARGIN;
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random < LUCK * 2 ** 32;
  }

  #mainVictim(): number {
    return this.#probation.tail >= 0 ? this.#probation.tail : this.#protected.tail;
  }

  /** While the main part has room, what the window has too much moves on: at most two pages a call, so that none is slow. */
  #fillMain(): void {
    const capacity = Math.min(this.#capacityBytes, this.#bytes());
    for (let moves = 0; moves < 2; moves++) {
      const slot = this.#window.tail;
      if (slot < 0 || this.#window.bytes <= capacity * this.#climber.share) return;
      const main = this.#probation.bytes + this.#protected.bytes + this.#pages.bytesOf(slot);
      if (main > capacity * (1 - this.#climber.share)) return;
      this.#move(this.#window, slot, PROBATION);
    }
  }

  #move(from: SlotList, slot: number, segment: typeof PROBATION): void {
    from.remove(slot);
    this.#segment[slot] = segment;
    this.#probation.pushHead(slot);
  }

  #listOf(slot: number): SlotList {
    const segment = this.#segment[slot];
    return segment === WINDOW ? this.#window : segment === PROBATION ? this.#probation : this.#protected;
  }

  #bytes(): number {
    return this.#window.bytes + this.#probation.bytes + this.#protected.bytes;
  }
}
