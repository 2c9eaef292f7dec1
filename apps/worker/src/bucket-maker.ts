/**
 * Buckets that S3 clients make and remove, where the operator has said what they are made of (setting `buckets`). A bucket
 * is a mount: CreateBucket records one and makes what is behind it, DeleteBucket removes both. Every worker that readers may
 * be sent to knows before the client is answered, so that the next request finds the bucket at whatever worker it comes in.
 */
import { randomBytes } from "node:crypto";
import {
  type BucketTemplate,
  type Clock,
  isRinglightError,
  MADE_BY_OPTION,
  type MountRecord,
  type Registry,
  RinglightError,
  type Ufs,
  type UfsCallOptions,
  type UfsWrites,
} from "@ringlight/core";
import { checkMount, openUfs } from "@ringlight/ufs";

/** Options of the maker. */
export interface BucketMakerOptions {
  readonly registry: Pick<Registry, "addMount" | "removeMount">;
  /** What buckets are made of; undefined: clients make none. */
  readonly template: BucketTemplate | undefined;
  readonly clock: Clock;
  readonly ufsTimeoutMs: number;
  /** Resolves when every worker knows that a mount is there, or is gone. */
  readonly tell: (mount: string, state: "made" | "removed") => Promise<void>;
}

/** Was the mount made by an S3 client? */
export function isMadeBucket(record: MountRecord): boolean {
  return record.options[MADE_BY_OPTION] !== undefined;
}

/** Makes and removes buckets. */
export class BucketMaker {
  readonly #options: BucketMakerOptions;

  constructor(options: BucketMakerOptions) {
    this.#options = options;
  }

  /**
   * Makes a bucket that no mount has the name of.
   * @throws RL_FORBIDDEN where clients make none, RL_CONFLICT where what would be behind it is there already, RL_MOUNT_EXISTS
   */
  async make(bucket: string, call: UfsCallOptions): Promise<void> {
    const { registry, template, clock, ufsTimeoutMs, tell } = this.#options;
    if (template === undefined) {
      const text = `buckets are mounts here: an operator makes "${bucket}" with \`ringlight mount add\`, or lets clients make buckets by the setting \`buckets\``;
      throw new RinglightError("RL_FORBIDDEN", text);
    }
    const record = unlike(template(bucket, clock.now()));
    checkMount(record);
    const ufs = await openUfs(record, { timeoutMs: ufsTimeoutMs });
    try {
      const writes = writesOf(ufs, bucket);
      await requireAbsent(record, ufs, call);
      // The mount first: if this worker dies in between, the bucket can be made again, and nothing is left over in the store.
      await registry.addMount(record);
      try {
        if (isWhole(record)) await writes.createBucket(call);
      } catch (error) {
        await registry.removeMount(bucket);
        throw isRinglightError(error, "RL_CONFLICT") ? taken(record) : error;
      }
    } finally {
      await ufs.close();
    }
    await tell(bucket, "made");
  }

  /** Removes a bucket that a client made. @throws RL_NOT_EMPTY, and the store's errors */
  async remove(record: MountRecord, ufs: Ufs, call: UfsCallOptions): Promise<void> {
    const { registry, tell } = this.#options;
    const writes = writesOf(ufs, record.name);
    try {
      // Directories are looked into when they are removed.
      if (!record.uri.startsWith("file:") && !(await isEmpty(ufs, call))) {
        throw new RinglightError("RL_NOT_EMPTY", `the bucket "${record.name}" holds objects`);
      }
      if (isWhole(record)) await writes.deleteBucket(call);
    } catch (error) {
      // Removed behind our back: the mount goes as well.
      if (!isAbsent(error)) throw error;
    }
    await registry.removeMount(record.name);
    await tell(record.name, "removed");
  }
}

/**
 * The record as no other of the same bucket is. One that is there already and is the same is taken for our own, whose answer was lost:
 * two workers that are asked in the same millisecond must not take each other's for theirs.
 */
function unlike(record: MountRecord): MountRecord {
  const by = `${record.options[MADE_BY_OPTION]} ${randomBytes(6).toString("hex")}`;
  return { ...record, options: { ...record.options, [MADE_BY_OPTION]: by } };
}

/** Is the mount all of a bucket or directory, and not a prefix of a bucket? */
function isWhole({ uri }: MountRecord): boolean {
  return uri.startsWith("file:") || /^s3:\/\/[^/]+\/?$/i.test(uri);
}

function writesOf(ufs: Ufs, bucket: string): UfsWrites {
  if (ufs.writes !== undefined) return ufs.writes;
  throw new RinglightError("RL_NOT_IMPLEMENTED", `the store behind the bucket "${bucket}" takes no writes`);
}

/** Does the error say that what should be behind the bucket is not there? */
function isAbsent(error: unknown): boolean {
  return isRinglightError(error) && error.s3?.code === "NoSuchBucket";
}

async function isEmpty(ufs: Ufs, call: UfsCallOptions): Promise<boolean> {
  const page = await ufs.list({ prefix: "", delimiter: "", startAfter: "", maxKeys: 1 }, call);
  return page.objects.length === 0;
}

/** What somebody else keeps in the store is not given to whoever asks for a bucket of its name. */
async function requireAbsent(record: MountRecord, ufs: Ufs, call: UfsCallOptions): Promise<void> {
  // A directory is made or is there already: nothing has to be asked before.
  if (record.uri.startsWith("file:")) return;
  try {
    if ((await isEmpty(ufs, call)) && !isWhole(record)) return;
  } catch (error) {
    if (isAbsent(error)) return;
    throw error;
  }
  throw taken(record);
}

function taken(record: MountRecord): RinglightError {
  const message =
    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Please select a different name and try again.";
  return new RinglightError("RL_CONFLICT", `there is something at ${record.uri} already`, {
    s3: { code: "BucketAlreadyExists", status: 409, message },
  });
}
