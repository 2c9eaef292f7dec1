/**
 * Rules by path on this worker: they come from the registry, are compiled, and are kept by the page store, which knows pages by
 * number and not by path. So everything that the rules say of a path becomes a class (see libs/store/src/page-rules.ts); a page gets
 * its class when it comes, and pages that are here already get theirs by their names when the rules change, and after a start.
 *
 * Classes of one set of rules have the numbers of one half, 1 to 127 or 128 to 255. The next set takes the other half, and the first
 * one is free again when no page has a number of it.
 */
import {
  type Clock,
  type ClusterView,
  type PathPolicy,
  type PolicyRule,
  parsePath,
  policyMatcher,
  type Registry,
  type RuleEffect,
  ruleEffects,
} from "@ringlight/core";
import type { RuleStats } from "@ringlight/proto";
import { LEVELS, type LocalPageStore } from "@ringlight/store";
import type { PageNames } from "./page-names.ts";

const HALF = 128;
/** How often pages whose time is over are looked for: a twentieth of the shortest time, within these bounds. */
const TICK_MS = 1_000;
const LONGEST_MS = 60_000;

/** Options of Policies. */
export interface PoliciesOptions {
  readonly workerId: string;
  readonly registry: Pick<Registry, "view" | "onChange">;
  readonly store: LocalPageStore;
  readonly names: PageNames;
  readonly clock: Clock;
  readonly warn: (message: string, fields: Record<string, unknown>) => void;
}

/** One set of rules, compiled. */
interface Compiled {
  readonly rules: readonly PolicyRule[];
  readonly match: (mount: string, key: string) => PathPolicy | undefined;
  /** First number of its half. */
  readonly base: number;
  /** Classes by what they stand for. */
  readonly classes: Map<string, { readonly number: number; readonly names: readonly string[] }>;
}

/** The rules of one worker. */
export class Policies {
  readonly #options: PoliciesOptions;
  readonly #stopFollowing: () => void;
  readonly #timer: NodeJS.Timeout;
  #compiled: Compiled = { rules: [], match: () => undefined, base: 0, classes: new Map() };
  /** The path asked for last, and its class: a large object comes page by page. */
  #last = { mount: "", key: "", number: 0 };
  #applying: Promise<void> | undefined;
  #keeping = false;
  #dueMs = 0;
  #closed = false;

  constructor(options: PoliciesOptions) {
    this.#options = options;
    this.#stopFollowing = options.registry.onChange((view) => this.#follow(view));
    this.#timer = setInterval(() => void this.#keep(), TICK_MS).unref();
    this.#follow(options.registry.view());
  }

  /** Number of what the rules say of a path now; 0 where they say nothing. */
  classOf(mount: string, key: string): number {
    if (this.#compiled.rules.length === 0) return 0;
    const last = this.#last;
    if (last.key === key && last.mount === mount) return last.number;
    const number = this.#numberOf(this.#compiled.match(mount, key));
    this.#last = { mount, key, number };
    return number;
  }

  /** What the rules say of a path. */
  policyOf(mount: string, key: string): PathPolicy | undefined {
    return this.#compiled.match(mount, key);
  }

  /** What each rule that matches says of a path. */
  effectsOf(mount: string, key: string): RuleEffect[] {
    return ruleEffects(this.#compiled.rules, mount, key);
  }

  /** What each rule comes to here. */
  stats(): RuleStats[] {
    const { rules, classes, base } = this.#compiled;
    const { store } = this.#options;
    const shares = this.#shares(this.#options.registry.view(), this.#compiled);
    return rules.map(({ name }, at) => {
      let pages = 0;
      let bytes = 0;
      for (const known of classes.values()) {
        if (!known.names.includes(name)) continue;
        const usage = store.rules.usageOf(known.number);
        pages += usage.pages;
        bytes += usage.bytes;
      }
      return { name, pages, bytes, quotaBytes: Math.round(shares.get(base + at) ?? 0) };
    });
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#stopFollowing();
    await this.#applying;
  }

  #follow(view: ClusterView): void {
    if (view.policies !== this.#compiled.rules && this.#applying === undefined) {
      this.#applying = this.#apply().finally(() => {
        this.#applying = undefined;
      });
    }
    this.#options.store.rules.quotas = this.#shares(view, this.#compiled);
  }

  /** Takes over the rules of the view, until there are no newer ones. */
  async #apply(): Promise<void> {
    const { registry, store, names, warn } = this.#options;
    for (let { policies } = registry.view(); policies !== this.#compiled.rules; { policies } = registry.view()) {
      if (this.#closed) return;
      const isFirst = this.#compiled.rules.length === 0 && this.#compiled.classes.size === 0;
      const base = this.#compiled.base === 0 ? HALF : 0;
      this.#compiled = { rules: policies, match: policyMatcher(policies), base, classes: new Map() };
      this.#last = { mount: "", key: "", number: 0 };
      store.rules.quotas = this.#shares(registry.view(), this.#compiled);
      if (isFirst && policies.length === 0) continue;
      try {
        await names.read((version, path) => {
          if (this.#closed || !store.holds(version)) return;
          const { mount, key } = parsePath(path);
          store.setRuleClass(version, this.classOf(mount, key));
        });
        const isStale = (number: number) => Math.floor(number / HALF) * HALF !== base;
        await store.dropRuleClasses(isStale);
        for (let number = 1; number < 2 * HALF; number++) if (isStale(number)) store.rules.define(number, undefined);
      } catch (error) {
        warn("rules by path could not be applied to the pages that are here", { error: String(error) });
      }
      this.#dueMs = 0;
      await this.#keep();
    }
  }

  #numberOf(policy: PathPolicy | undefined): number {
    if (policy === undefined) return 0;
    const { ttlMs, pin = false, priority = pin ? "high" : "normal", quotas, rules } = policy;
    const { base, classes } = this.#compiled;
    // Whose names are not the same are counted apart.
    const key = JSON.stringify([ttlMs, pin, priority, quotas, rules]);
    const known = classes.get(key);
    if (known !== undefined) return known.number;
    const number = base + classes.size + (base === 0 ? 1 : 0);
    if (number >= base + HALF) {
      this.#options.warn("rules by path overlap in too many ways; what one more says is not kept", { ...policy });
      return 0;
    }
    classes.set(key, { number, names: rules });
    this.#options.store.rules.define(number, {
      ...(ttlMs !== undefined && { ttlMs }),
      pin,
      level: LEVELS.indexOf(priority),
      quotas: quotas.map((at) => base + at),
    });
    return number;
  }

  /** This worker's part of each rule's quota, by its weight. Quotas of two sets of rules have different numbers, as classes have. */
  #shares({ members }: ClusterView, { rules, base }: Compiled): Map<number, number> {
    const all = members.reduce((sum, { weight }) => sum + weight, 0);
    const own = members.find(({ id }) => id === this.#options.workerId)?.weight ?? all;
    const share = all === 0 ? 1 : own / all;
    const shares = new Map<number, number>();
    for (const [at, { quotaBytes }] of rules.entries()) {
      if (quotaBytes !== undefined) shares.set(base + at, quotaBytes * share);
    }
    return shares;
  }

  async #keep(): Promise<void> {
    const { store, clock } = this.#options;
    if (this.#keeping || this.#closed || this.#compiled.rules.length === 0 || clock.monotonicMs() < this.#dueMs) return;
    const shortestMs = Math.min(...this.#compiled.rules.map(({ ttlMs = Number.POSITIVE_INFINITY }) => ttlMs));
    this.#dueMs = clock.monotonicMs() + Math.min(LONGEST_MS, Math.max(TICK_MS / 2, shortestMs / 20));
    this.#keeping = true;
    try {
      await store.keepRules(clock.now());
    } finally {
      this.#keeping = false;
    }
  }
}
