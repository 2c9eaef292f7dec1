/** The share of W-TinyLFU's window, by hill climbing. */
import { Ghost } from "./ghost.ts";

const LEAST_SHARE = 0.01;
const MOST_SHARE = 0.8;
const STEP = 1 / 16;
/** Requests between two steps, in pages of the cache, and at least so many. */
const SAMPLE_PAGES = 0.5;
const LEAST_SAMPLE = 1000;
/** The ghost holds the last refused pages, as many as would fit into one more step of the window. */
const GHOST_SHARE = STEP;
/** What the main part's coldest pages are worth against its average. */
const MARGIN_OF_MAIN = 0.5;

/**
 * The slope of the hill is measured, not found by trying: a page that comes again soon after the contest refused it would
 * have been a hit in a window one step larger; the main part, one step smaller, would lose at most its average hits for so
 * many bytes, and less, since it gives up its coldest. The window takes a step to where more is to be had. Comparing the
 * hit ratios of one sample and the next, as is usual, needs samples of ten times the cache to be sure of a step, walks about
 * at random when the load goes round in a loop, and takes days for a large cache.
 */
export class WindowClimber {
  share = LEAST_SHARE;
  readonly #ghost = new Ghost();
  #regrets = 0;
  #mainHits = 0;
  #requests = 0;

  /** A page of the window lost the contest, in a cache of `pages` pages. */
  onRefused(hash: number, pages: number): void {
    this.#ghost.add(hash, pages * GHOST_SHARE);
  }

  /** A page came in. */
  onMiss(hash: number, pages: number): void {
    if (this.#ghost.take(hash, pages * GHOST_SHARE)) this.#regrets++;
    this.#count(pages);
  }

  /** A page was hit. */
  onHit(inMain: boolean, pages: number): void {
    if (inMain) this.#mainHits++;
    this.#count(pages);
  }

  #count(pages: number): void {
    if (++this.#requests < LEAST_SAMPLE || this.#requests < pages * SAMPLE_PAGES) return;
    const gain = this.#regrets;
    const loss = (this.#mainHits * STEP * MARGIN_OF_MAIN) / (1 - this.share);
    this.share = Math.min(MOST_SHARE, Math.max(LEAST_SHARE, this.share + (gain > loss ? STEP : -STEP)));
    this.#regrets = 0;
    this.#mainHits = 0;
    this.#requests = 0;
  }
}
