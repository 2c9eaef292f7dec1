/** How fast a job goes: the change of its sums over the last seconds. */
const SPAN_MS = 5_000;

/** Sums at a moment. */
interface Moment {
  readonly atMs: number;
  readonly objects: number;
  readonly bytes: number;
  /** Bytes that came from stores. */
  readonly readBytes: number;
}

/** Keeps a few seconds of moments. */
export class JobRate {
  #moments: Moment[] = [];

  observe(moment: Moment): void {
    this.#moments.push(moment);
    while ((this.#moments[1]?.atMs ?? Number.POSITIVE_INFINITY) <= moment.atMs - SPAN_MS) this.#moments.shift();
  }

  /** Begins anew: after a pause, or with another pass. */
  reset(): void {
    this.#moments = [];
  }

  /** A second; zero while nobody can tell. */
  perSecond(): { readonly objects: number; readonly bytes: number; readonly readBytes: number } {
    const first = this.#moments[0];
    const last = this.#moments.at(-1);
    const seconds = first === undefined || last === undefined ? 0 : (last.atMs - first.atMs) / 1000;
    if (first === undefined || last === undefined || seconds <= 0) return { objects: 0, bytes: 0, readBytes: 0 };
    return {
      objects: (last.objects - first.objects) / seconds,
      bytes: (last.bytes - first.bytes) / seconds,
      readBytes: (last.readBytes - first.readBytes) / seconds,
    };
  }
}
