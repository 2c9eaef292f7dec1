/**
 * The way of a write through the cluster. This worker, where the write came in, hands it to the UFS; when the UFS has it,
 * and before the client is told, every worker forgets what it remembered of the object. A reader that begins after the
 * acknowledgement therefore asks the UFS anew, at whatever worker, and meets the new version (docs/adr/0014).
 */
import {
  type CopyRequest,
  isRinglightError,
  type ObjectMeta,
  RinglightError,
  type UfsCallOptions,
  type UfsWriteBody,
  type UfsWrites,
  type WorkerRecord,
} from "@ringlight/core";
import type { MountTable, OpenMount } from "./mount-table.ts";
import type { WriteNotice, WriteNotices } from "./write-notices.ts";

/** Options of the writer. */
export interface WriterOptions {
  readonly workerId: string;
  readonly mounts: MountTable;
  readonly notices: WriteNotices;
  /** The workers that readers may be sent to, as far as this one knows. */
  readonly workers: () => Iterable<WorkerRecord>;
  /** Forgets what this worker remembers of the objects; resolves when nobody serves the old state from here. */
  readonly forget: (notices: readonly WriteNotice[]) => Promise<void>;
  /** Told of objects that have new versions, once every worker knows. */
  readonly written?: (mount: string, keys: readonly string[]) => void;
}

/** Errors after which the UFS certainly holds the old state. After others it may hold either. */
function leftAsItWas(error: unknown): boolean {
  return (
    isRinglightError(error) &&
    (error.info.http === 412 || error.code === "RL_NOT_FOUND" || error.code === "RL_UFS_DENIED")
  );
}

/** Writes through. */
export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** The mount's writes. @throws RL_READ_ONLY, RL_NO_SUCH_MOUNT */
  async writable(mount: string): Promise<OpenMount & { readonly writes: UfsWrites }> {
    const open = await this.#options.mounts.get(mount);
    if (open.record.readOnly) {
      throw new RinglightError("RL_READ_ONLY", `the mount "${mount}" is read-only; write to the store directly`);
    }
    return { ...open, writes: this.writesOf(open) };
  }

  /** What the store behind a mount can do besides reading. @throws RL_NOT_IMPLEMENTED */
  writesOf({ record, ufs }: OpenMount): UfsWrites {
    if (ufs.writes !== undefined) return ufs.writes;
    throw new RinglightError("RL_NOT_IMPLEMENTED", `the store behind the mount "${record.name}" takes no writes`);
  }

  /**
   * Runs a write of some objects of a mount. When it resolves, the UFS has the new state and every worker knows; when it
   * rejects, every worker asks the UFS again unless the old state certainly stands.
   */
  async write<T>(mount: string, keys: readonly string[], work: (writes: UfsWrites) => Promise<T>): Promise<T> {
    const { writes } = await this.writable(mount);
    const written = () => this.#published(keys.map((key) => ({ mount, key })));
    let result: T;
    try {
      result = await work(writes);
    } catch (error) {
      if (!leftAsItWas(error)) await written();
      throw error;
    }
    await written();
    this.#options.written?.(mount, keys);
    return result;
  }

  /** Resolves when every worker knows that an S3 client has made or removed a mount. */
  bucketChanged(mount: string, bucket: "made" | "removed"): Promise<void> {
    return this.#published([{ mount, key: "", bucket }]);
  }

  async #published(notices: readonly WriteNotice[]): Promise<void> {
    const { workerId, workers, notices: peers, forget } = this.#options;
    const others: WorkerRecord[] = [];
    for (const worker of workers()) if (worker.id !== workerId) others.push(worker);
    // Here first: readers of this worker are the likeliest to ask at once.
    const here = forget(notices);
    if (others.length === 0) return here;
    await Promise.all([here, peers.tell(others, notices)]);
  }
}

/** An object of another mount, to be copied from. */
export interface ForeignSource {
  readonly meta: ObjectMeta;
  readonly stream: AsyncIterable<Uint8Array>;
}

/** The write that copies an object of another mount, whose bytes pass through this worker. */
export function copyFromElsewhere(
  writes: UfsWrites,
  key: string,
  request: CopyRequest,
  source: ForeignSource,
  sizeBytes: number,
  options: UfsCallOptions,
): ReturnType<UfsWrites["put"]> {
  const { meta } = source;
  const body: UfsWriteBody = { sizeBytes, stream: source.stream };
  const tagging = request.tagging;
  const settings = request.settings ?? {
    ...(meta.contentType !== undefined && { contentType: meta.contentType }),
    ...(meta.contentEncoding !== undefined && { contentEncoding: meta.contentEncoding }),
    ...(meta.contentDisposition !== undefined && { contentDisposition: meta.contentDisposition }),
    ...(meta.contentLanguage !== undefined && { contentLanguage: meta.contentLanguage }),
    ...(meta.cacheControl !== undefined && { cacheControl: meta.cacheControl }),
    ...(meta.expires !== undefined && { expires: meta.expires }),
    ...(meta.userMetadata !== undefined && { userMetadata: meta.userMetadata }),
  };
  const headers = { ...settings.headers, ...request.headers };
  return writes.put(
    key,
    {
      body,
      settings: { ...settings, headers, ...(tagging !== undefined && { tagging }) },
      ...(request.conditions && { conditions: request.conditions }),
    },
    options,
  );
}
