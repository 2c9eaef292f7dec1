/** Opening a page store: its options, and the order in which its directories are taken. */
import { type Clock, RinglightError, systemClock } from "@ringlight/core";
import { DEFAULT_EVICTION_POLICY, type EvictionPolicyName } from "./eviction-policy.ts";
import { LocalPageStore, type Tier } from "./local-page-store.ts";
import type { PageMapper } from "./open-files.ts";
import { PageRules } from "./page-rules.ts";
import { VersionTable } from "./version-table.ts";
import { type StoreLog, Volume, type VolumeEvents } from "./volume.ts";

/** One tier. */
export interface TierOptions {
  /** Shown to users: `mem`, `ssd`. */
  readonly name: string;
  /** Absolute paths. Each gets an equal share of the limit. A `mem` tier is a directory on tmpfs. */
  readonly directories: readonly string[];
  readonly limitBytes: number;
  /** Where it is left out, the store's. */
  readonly evictionPolicy?: EvictionPolicyName;
}

/** What a store is made of. */
export interface PageStoreOptions {
  /** Fastest first. */
  readonly tiers: readonly TierOptions[];
  readonly clock?: Clock;
  /** Share of the hits whose page is checked again, 0 to 1. */
  readonly verifySampleRate?: number;
  readonly evictionPolicy?: EvictionPolicyName;
  /** Descriptors kept open while nobody reads, for each directory. */
  readonly openFileLimit?: number;
  /** Maps pages of memory tiers that are read often, for those who send from there. */
  readonly mapper?: PageMapper | undefined;
  readonly log?: StoreLog;
}

const DEFAULT_VERIFY_SAMPLE_RATE = 1 / 256;
const DEFAULT_OPEN_FILE_LIMIT = 512;

/**
 * Opens a page store and finds the pages of its directories again.
 * @throws RL_BAD_CONFIG, RL_CONFLICT (another process uses a directory), RL_NO_PERMISSION, RL_DISK_FULL; then nothing is held.
 */
export async function openPageStore(options: PageStoreOptions): Promise<LocalPageStore> {
  checkTiers(options.tiers);
  const versions = new VersionTable();
  const rules = new PageRules();
  const tiers: Tier[] = [];
  let store: LocalPageStore | undefined;
  const events: VolumeEvents = {
    onVictim: (volume, slot) => store?.demote(volume, slot) ?? false,
    onGone: (version, index, reason) => store?.noteGone(version, index, reason),
  };
  const opened: Volume[] = [];
  try {
    for (const { name, directories, limitBytes, evictionPolicy } of options.tiers) {
      const volumes: Volume[] = [];
      for (const directory of directories) {
        const volume = await Volume.open({
          tier: name,
          directory,
          limitBytes: Math.floor(limitBytes / directories.length),
          policy: evictionPolicy ?? options.evictionPolicy ?? DEFAULT_EVICTION_POLICY,
          openFileLimit: options.openFileLimit ?? DEFAULT_OPEN_FILE_LIMIT,
          mapper: options.mapper,
          versions,
          rules,
          clock: options.clock ?? systemClock,
          log: options.log ?? (() => undefined),
          events,
        });
        opened.push(volume);
        volumes.push(volume);
      }
      tiers.push({
        name,
        volumes,
        demotedPages: 0,
        droppedDemotions: 0,
        refusedDemotions: 0,
        promotedPages: 0,
        verifiedPages: 0,
      });
    }
  } catch (error) {
    await Promise.all(opened.map((volume) => volume.close()));
    throw error;
  }
  store = new LocalPageStore(tiers, versions, rules, options.verifySampleRate ?? DEFAULT_VERIFY_SAMPLE_RATE);
  return store;
}

function checkTiers(tiers: readonly TierOptions[]): void {
  if (tiers.length === 0) throw new RinglightError("RL_BAD_CONFIG", "a page store needs at least one tier");
  const names = new Set<string>();
  for (const { name, directories, limitBytes } of tiers) {
    if (names.has(name))
      throw new RinglightError("RL_BAD_CONFIG", `two tiers are named ${name}; each needs its own name`);
    names.add(name);
    if (directories.length === 0)
      throw new RinglightError("RL_BAD_CONFIG", `tier ${name} needs at least one directory`);
    if (!(Number.isSafeInteger(limitBytes) && limitBytes > 0)) {
      throw new RinglightError("RL_BAD_CONFIG", `tier ${name}: the limit must be a positive whole number of bytes`);
    }
  }
}
