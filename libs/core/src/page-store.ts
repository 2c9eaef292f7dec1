/** The page store: where a worker keeps pages of object versions, on tiers. */
import type { MissReason } from "./outcome.ts";
import type { PageRun } from "./segment.ts";

/** Identifies an object version in the page store: 32 lower-case hex digits, a hash of mount, key and version token. */
export type VersionId = string;

/** A page that is held open: its bytes stay readable until release(), whatever is evicted meanwhile. */
export interface PageRef {
  /** Name of the tier that holds the page. */
  readonly tier: string;
  readonly lengthBytes: number;
  /** Descriptor of the file that holds the page, and the offset of its first byte there. For reading only. */
  readonly fd: number;
  readonly position: number;
  /** Copies bytes of the page out: `offset` within the page, `length` bytes. @throws RL_BAD_RANGE outside of the page. */
  read(offset: number, length: number): Buffer;
  /** Lets go of the page. Idempotent. */
  release(): void;
}

/** Where a page lies, for a reader in another process of the same host. */
export interface PageLocation {
  readonly tier: string;
  /** Absolute path of the file that holds the page. */
  readonly path: string;
  /** Offset of the page's first byte in the file. */
  readonly position: number;
  readonly lengthBytes: number;
}

/** How a page is opened. */
export interface OpenOptions {
  /** Check the bytes against their checksums even if that was done before: `verify=always` of a mount. */
  readonly verify?: boolean;
  /**
   * The bytes of the page that will be read, [offset, offset + length): only the blocks that hold them are checked. Bytes
   * outside of them are not checked, and must not be read. The whole page where it is left out.
   */
  readonly range?: { readonly offset: number; readonly length: number };
}

/** How a page is offered. */
export interface PutOptions {
  /** `freeze`: the page is admitted only where there is room, nothing is evicted for it. Where it is left out, the tier's policy decides. */
  readonly admission?: "freeze";
  /** Number of what the rules by path say of the page at this moment, asked when it comes in; 0, or left out, where none speaks of it. */
  readonly ruleClass?: () => number;
  /** CRC-32 of each block of 64 KiB, where they were made while the page came; where left out, they are made now. */
  readonly checksums?: Uint32Array | undefined;
}

/** What became of a page that was offered. */
export type PutResult =
  | { readonly stored: true; readonly tier: string }
  | { readonly stored: false; readonly reason: string };

/** State of one tier. */
export interface TierStats {
  readonly name: string;
  /** Directories of the tier. */
  readonly directories: readonly string[];
  readonly limitBytes: number;
  /** Bytes in use as accounted against the limit (page, checksums and the file system's rounding). */
  readonly usedBytes: number;
  readonly pages: number;
  readonly evictedPages: number;
  readonly evictedBytes: number;
  /** Pages that left because a rule by path says so: their time was over, or they were beyond a quota. Not among evictedPages. */
  readonly ttlPages: number;
  readonly quotaPages: number;
  /** Bytes that a pin keeps here, and bytes of pages with a pin that is not kept: pins may take a share of a tier only. */
  readonly pinnedBytes: number;
  readonly unpinnedBytes: number;
  /** Pages dropped for a bad checksum. */
  readonly corruptPages: number;
  /** Pages written since the start, new ones and copies from other tiers, and their bytes as accounted. */
  readonly storedPages: number;
  readonly storedBytes: number;
  /** Evicted pages copied to the next tier, those that it found not worth a write, and pages copied from here to the first tier. */
  readonly demotedPages: number;
  readonly refusedDemotions: number;
  readonly promotedPages: number;
  /** The last error of the tier's disk, if it has one now. */
  readonly error?: string;
}

/**
 * The page store. Single-threaded; all bounds are in bytes and hold at every moment. A page is visible only when
 * complete and checksummed; after kill -9 every page that is found is whole or not there.
 */
export interface PageStore {
  /**
   * Opens a page for reading and counts as a use of it. A page not yet verified since the start is verified first, which
   * is why the answer may be a promise; a page that fails is dropped and the answer is undefined.
   */
  open(version: VersionId, index: number, options?: OpenOptions): PageRef | undefined | Promise<PageRef | undefined>;
  /**
   * Where a page lies, for a reader of the same host that opens the file itself; counts as a use, and a page not yet
   * verified since the start is verified first. The file is never changed, and leaves by unlink: what was opened stays
   * valid; a path that is gone when it is opened is a miss.
   */
  locate(version: VersionId, index: number): PageLocation | undefined | Promise<PageLocation | undefined>;
  /** Tier that holds the page, without counting as a use. */
  peek(version: VersionId, index: number): string | undefined;
  /** Why a page that is not here is not here, as far as the store knows (cold, evicted, corrupt, invalidated, admission_refused). */
  missReason(version: VersionId, index: number): MissReason;
  /** Offers a complete page; `data` is copied before the call returns its promise's result. Never throws for a full or failing disk. */
  put(version: VersionId, index: number, data: Uint8Array, options?: PutOptions): Promise<PutResult>;
  /** Drops all pages of a version. */
  invalidate(version: VersionId): number;
  /** Runs of cached pages of a version, ascending. */
  cachedRuns(version: VersionId): PageRun[];
  stats(): TierStats[];
  /** Waits for pending writes and closes all files. Idempotent. */
  close(): Promise<void>;
}
