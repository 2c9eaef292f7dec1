/** The version of a file: modification time, size and inode. */
import type { BigIntStats } from "node:fs";

/** What a file's state says. */
export interface FileVersion {
  /** mtime in nanoseconds, size and inode. A change that leaves all three is not seen. */
  readonly version: string;
  /** The version in quotes: with its dashes, no S3 client takes it for an MD5. */
  readonly etag: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/** Reads the version out of a file's state. */
export function versionOf(state: BigIntStats): FileVersion {
  const version = `${state.mtimeNs}-${state.size}-${state.ino}`;
  return { version, etag: `"${version}"`, sizeBytes: Number(state.size), modifiedMs: Number(state.mtimeMs) };
}
