/** The metadata that an owner keeps: which version of an object is current, under the mount's freshness rule. */
import {
  type Clock,
  type Freshness,
  isRinglightError,
  type ObjectMeta,
  RecentMap,
  RinglightError,
  TransientMap,
  type Ufs,
} from "@ringlight/core";

/** Most objects remembered; the least recently used go first. About 0.5 KiB each. */
const MAX_ENTRIES = 200_000;

interface Entry {
  /** undefined: the UFS has no such object. */
  readonly meta: ObjectMeta | undefined;
  readonly fetchedAtMs: number;
  /** It was written through a worker since then. */
  readonly written?: boolean;
}

/** A question to the UFS on its way. */
interface Question {
  readonly askedAtMs: number;
  answer: Promise<ObjectMeta> | undefined;
  /** The object was written meanwhile: what the answer says must not be remembered. */
  overtaken: boolean;
  /** Others may wait for its answer. */
  joinable: boolean;
  /** One of the same object that was asked before. */
  before: Question | undefined;
}

/** Options of the metadata cache. */
export interface MetadataCacheOptions {
  readonly clock: Clock;
  /** How long "not found" is believed, milliseconds. */
  readonly negativeTtlMs: number;
  /** When this process last stood still for too long, on the clock: what was learned before that is asked for again. */
  readonly resumedMs?: () => number;
  /** Called with the id of an object whose metadata was learned. */
  readonly onLearned?: (id: string) => void;
  /**
   * Called when a known object turns out to have another version, or to be gone: because it was written through a worker
   * ("invalidated"), or because that was noticed in the store ("expired").
   */
  readonly onReplaced: (
    mount: string,
    key: string,
    before: ObjectMeta,
    after: ObjectMeta | undefined,
    why: "expired" | "invalidated",
  ) => void;
}

/** Bounded cache of object metadata with one UFS request at a time for each object. */
export class MetadataCache {
  readonly #options: MetadataCacheOptions;
  readonly #entries = new RecentMap<Entry>(MAX_ENTRIES);
  /** Questions on their way, by object: the last that was asked, and through it those before it. */
  readonly #asked = new TransientMap<Question>();

  #peeks = 0;

  constructor(options: MetadataCacheOptions) {
    this.#options = options;
  }

  /**
   * The object's current version as far as the freshness rule demands.
   *
   * @param learn takes the place of a HEAD where the UFS is to be asked and nobody is asking yet
   * @throws RL_NOT_FOUND, or the UFS's error when there is nothing fresh enough to answer with
   */
  get(
    mount: string,
    key: string,
    freshness: Freshness,
    ufs: Pick<Ufs, "head">,
    learn?: () => Promise<ObjectMeta>,
  ): Promise<ObjectMeta> {
    const id = `${mount}/${key}`;
    const entry = this.#entries.get(id);
    if (entry !== undefined && this.#isFresh(entry, freshness)) {
      this.#entries.use(id);
      return entry.meta === undefined ? Promise.reject(notFound(key)) : Promise.resolve(entry.meta);
    }
    const last = this.#asked.get(id);
    const pending = last?.joinable ? last : undefined;
    // A strict reader may not take the answer to a question that was asked before it came: the object may have changed since.
    // Nor may any reader take one to a question from before a pause, whose answer may have lain here while others wrote.
    const { resumedMs } = this.#options;
    if (
      pending?.answer !== undefined &&
      freshness.kind !== "strict" &&
      (resumedMs === undefined || pending.askedAtMs >= resumedMs())
    ) {
      return pending.answer;
    }
    // Strict readers that come together each ask for themselves; the bytes come with one of the answers only.
    const ask = pending === undefined && learn !== undefined ? learn : () => ufs.head(key);
    if (last !== undefined) last.joinable = false;
    const askedAtMs = this.#options.clock.monotonicMs();
    const question: Question = { askedAtMs, answer: undefined, overtaken: false, joinable: true, before: last };
    this.#asked.set(id, question);
    question.answer = this.#fetch(mount, key, id, question, ask);
    return question.answer;
  }

  /** The object's metadata if the freshness rule lets it be used as it is. @param id mount identity and key, as "mount/key" */
  peekFresh(id: string, freshness: Freshness): ObjectMeta | undefined {
    const entry = this.#entries.get(id);
    if (entry?.meta === undefined || !this.#isFresh(entry, freshness)) return undefined;
    // Among the recently used it moves to the front now and then, which is as good as each time and cheaper.
    if ((++this.#peeks & 15) === 0) this.#entries.use(id);
    return entry.meta;
  }

  /** What is remembered of an object, without asking anybody. */
  peek(
    mount: string,
    key: string,
  ): { readonly meta: ObjectMeta | undefined; readonly ageMs: number; readonly written: boolean } | undefined {
    const entry = this.#entries.get(`${mount}/${key}`);
    return (
      entry && {
        meta: entry.meta,
        ageMs: this.#options.clock.monotonicMs() - entry.fetchedAtMs,
        written: entry.written === true,
      }
    );
  }

  /** Forgets that the entry is fresh: the next reader asks the UFS. */
  expire(mount: string, key: string): void {
    const id = `${mount}/${key}`;
    const entry = this.#entries.get(id);
    if (entry !== undefined) this.#entries.set(id, { meta: entry.meta, fetchedAtMs: Number.NEGATIVE_INFINITY });
  }

  /**
   * Forgets what was learned before now: the object was written. Questions on their way still answer those who asked them,
   * who came before; later readers ask anew, and nothing that was asked before is remembered.
   */
  forget(mount: string, key: string): void {
    const id = `${mount}/${key}`;
    for (let question = this.#asked.get(id); question !== undefined; question = question.before) {
      question.overtaken = true;
      question.joinable = false;
    }
    const entry = this.#entries.get(id);
    if (entry !== undefined) {
      this.#entries.set(id, { meta: entry.meta, fetchedAtMs: Number.NEGATIVE_INFINITY, written: true });
    }
  }

  get size(): number {
    return this.#entries.size;
  }

  async #fetch(
    mount: string,
    key: string,
    id: string,
    question: Question,
    ask: () => Promise<ObjectMeta>,
  ): Promise<ObjectMeta> {
    const { askedAtMs } = question;
    let meta: ObjectMeta | undefined;
    try {
      meta = await ask();
    } catch (error) {
      if (!isRinglightError(error, "RL_NOT_FOUND")) throw error;
    } finally {
      this.#answered(id, question);
    }
    const before = this.#entries.get(id);
    // Answers may overtake each other; the one that was asked for last is kept.
    if (!question.overtaken && (before === undefined || before.fetchedAtMs <= askedAtMs)) {
      this.#entries.set(id, { meta, fetchedAtMs: askedAtMs });
      if (meta !== undefined) this.#options.onLearned?.(id);
      if (before?.meta !== undefined && before.meta.version !== meta?.version) {
        this.#options.onReplaced(mount, key, before.meta, meta, before.written ? "invalidated" : "expired");
      }
    }
    if (meta === undefined) throw notFound(key);
    return meta;
  }

  /** The question is on its way no more. */
  #answered(id: string, question: Question): void {
    const last = this.#asked.get(id);
    if (last === question) {
      if (question.before === undefined) this.#asked.delete(id);
      else this.#asked.set(id, question.before);
      return;
    }
    for (let later = last; later !== undefined; later = later.before) {
      if (later.before === question) later.before = question.before;
    }
  }

  #isFresh(entry: Entry, freshness: Freshness): boolean {
    const { resumedMs } = this.#options;
    if (resumedMs !== undefined && entry.fetchedAtMs < resumedMs()) return false;
    const ageMs = this.#options.clock.monotonicMs() - entry.fetchedAtMs;
    if (entry.meta === undefined) return freshness.kind !== "strict" && ageMs <= this.#options.negativeTtlMs;
    if (freshness.kind === "immutable") return ageMs !== Number.POSITIVE_INFINITY;
    return freshness.kind === "ttl" && ageMs <= freshness.ttlMs;
  }
}

function notFound(key: string): RinglightError {
  return new RinglightError("RL_NOT_FOUND", `the store behind the mount has no object "${key}"`);
}
