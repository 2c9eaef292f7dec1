/** Objects that this worker owns and knows the current version of: what may be served from memory of it, without asking anybody. */
import { type Clock, type MountRecord, type ObjectMeta, RecentMap, segmentKey, type VersionId } from "@ringlight/core";
import type { Ring } from "@ringlight/ring";
import type { MountTable } from "./mount-table.ts";
import { type ObjectReader, pageVersion } from "./object-reader.ts";
import type { RingKeeper } from "./ring-keeper.ts";

/** The pages of one version of an object. */
export interface VersionPages {
  readonly record: MountRecord;
  readonly key: string;
  readonly meta: Pick<ObjectMeta, "version" | "sizeBytes">;
  readonly version: VersionId;
}

/** An object whose version may be believed for a while. */
export interface KnownObject extends VersionPages {
  readonly meta: ObjectMeta;
  /** How much longer the mount's freshness lets the version be believed, milliseconds; may be infinite. */
  readonly freshMs: number;
}

/** Options of OwnObjects. */
export interface OwnObjectsOptions {
  readonly workerId: string;
  readonly ring: RingKeeper;
  readonly mounts: MountTable;
  readonly objects: ObjectReader;
  readonly clock: Clock;
}

/** True for a mount whose every hit is checked against its checksums: nobody may read its pages past this worker. */
export function verifiesAlways(record: MountRecord): boolean {
  return record.options.verify === "always";
}

/** Objects whose pages' version and owners are remembered. */
const MAX_REMEMBERED = 16_384;

/** What was found of an object; holds while record, metadata and ring are the same. */
interface Remembered {
  readonly record: MountRecord;
  readonly ring: Ring;
  readonly isOwned: boolean;
  meta: ObjectMeta | undefined;
  version: VersionId;
}

/** Looks up this worker's own objects. Nothing here waits. */
export class OwnObjects {
  readonly #options: OwnObjectsOptions;
  readonly #remembered = new RecentMap<Remembered>(MAX_REMEMBERED);

  constructor(options: OwnObjectsOptions) {
    this.#options = options;
  }

  /** True if the ring names this worker as an owner of the segment. */
  owns(record: MountRecord, key: string, segment: number): boolean {
    const { ring, workerId } = this.#options;
    return ring.ring.owners(segmentKey(record.name, key, segment), record.replicas).includes(workerId);
  }

  /** The object, if this worker is an owner of its first segment and need not ask the store. */
  peek(mount: string, key: string): KnownObject | undefined {
    const { mounts, objects, ring } = this.#options;
    const record = mounts.peek(mount);
    if (record === undefined) return undefined;
    const name = `${mount}/${key}`;
    let found = this.#remembered.get(name);
    if (found === undefined || found.record !== record || found.ring !== ring.ring) {
      const isOwned = this.owns(record, key, 0);
      found = { record, ring: ring.ring, isOwned, meta: undefined, version: "" };
      this.#remembered.set(name, found);
    }
    if (!found.isOwned) return undefined;
    const known = objects.peekMetadata(record, key);
    if (known?.meta === undefined) return undefined;
    const freshMs = freshFor(record, known.ageMs);
    if (freshMs <= 0) return undefined;
    if (known.meta !== found.meta) {
      found.meta = known.meta;
      found.version = pageVersion(record, key, known.meta.version);
    }
    return { record, key, meta: known.meta, version: found.version, freshMs };
  }
}

function freshFor({ freshness }: MountRecord, ageMs: number): number {
  if (freshness.kind === "strict" || ageMs === Number.POSITIVE_INFINITY) return 0;
  return freshness.kind === "immutable" ? Number.POSITIVE_INFINITY : freshness.ttlMs - ageMs;
}
