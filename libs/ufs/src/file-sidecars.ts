/**
 * What goes with a file besides its bytes: the ETag of S3, settings, tags. It lies in a hidden directory of the mount, one
 * small JSON file for a version of a file, so that it is never taken for that of another version: it is written before the
 * file takes its place, and a file that others changed has none.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ObjectChecksums, type ObjectMeta, type ObjectSettings, RinglightError } from "@ringlight/core";
import { fileError, HIDDEN_DIRECTORY, isMissing } from "./file-keys.ts";

/** What is kept of one version of a file. */
export interface Sidecar {
  readonly key: string;
  readonly etag: string;
  readonly settings: ObjectSettings;
  readonly tags: readonly (readonly [string, string])[];
  readonly checksums?: ObjectChecksums;
  /** Sizes of the parts of a multipart upload. */
  readonly partSizes?: readonly number[];
  /** Checksums of these parts, where the upload was begun with an algorithm. */
  readonly partChecksums?: readonly ObjectChecksums["values"][];
  /** The multipart upload that made it: who completes it again is told what came of it. */
  readonly uploadId?: string;
}

/** The sidecars of one mount. */
export class FileSidecars {
  /** The hidden directory. */
  readonly directory: string;
  #inUse = false;

  constructor(root: string) {
    this.directory = join(root, HIDDEN_DIRECTORY);
  }

  /** A name for the key, of letters that every file system takes. */
  nameOf(key: string): string {
    return createHash("sha256").update(key).digest("hex");
  }

  /** Was anything written through Ringlight here? */
  async exist(): Promise<boolean> {
    if (this.#inUse) return true;
    try {
      await stat(this.directory);
      this.#inUse = true;
    } catch (error) {
      if (!isMissing(error)) throw fileError(error, this.directory);
    }
    return this.#inUse;
  }

  /** The sidecar of a version, if it was written through Ringlight. */
  async read(key: string, version: string): Promise<Sidecar | undefined> {
    if (!(await this.exist())) return undefined;
    const path = this.#path(key, version);
    try {
      const sidecar = JSON.parse(await readFile(path, "utf8")) as Sidecar;
      return sidecar.key === key ? sidecar : undefined;
    } catch (error) {
      // One that cannot be understood is none: the bytes are the file's own.
      if (isMissing(error) || error instanceof SyntaxError) return undefined;
      throw fileError(error, path);
    }
  }

  async write(version: string, sidecar: Sidecar): Promise<void> {
    const path = this.#path(sidecar.key, version);
    await mkdir(dirname(path), { recursive: true });
    this.#inUse = true;
    const temporary = `${path}.${randomBytes(6).toString("hex")}`;
    await writeFile(temporary, JSON.stringify(sidecar));
    await rename(temporary, path);
  }

  async remove(key: string, version: string): Promise<void> {
    await rm(this.#path(key, version), { force: true });
  }

  #path(key: string, version: string): string {
    const name = this.nameOf(key);
    return join(this.directory, "meta", name.slice(0, 2), `${name}.${version}`);
  }
}

/** The metadata of a file with what its sidecar says. */
export function withSidecar(meta: ObjectMeta, sidecar: Sidecar | undefined): ObjectMeta {
  if (sidecar === undefined) return meta;
  const { tagging: _, headers, ...settings } = sidecar.settings;
  return {
    ...meta,
    ...settings,
    etag: sidecar.etag,
    ...(headers !== undefined && Object.keys(headers).length > 0 && { headers }),
    ...(sidecar.checksums && { checksums: sidecar.checksums }),
    ...(sidecar.tags.length > 0 && { taggingCount: sidecar.tags.length }),
    ...(sidecar.partSizes && { partsCount: sidecar.partSizes.length }),
  };
}

/** Headers that a directory can honour by keeping them, or by its nature. */
const ACCEPTED: Readonly<Record<string, RegExp>> = {
  "x-amz-acl": /^(private|bucket-owner-full-control)$/,
  "x-amz-website-redirect-location": /./,
  "x-amz-storage-class": /./,
};

/** The settings that a sidecar keeps. @throws RL_NOT_IMPLEMENTED naming a header that a directory cannot honour */
export function keptSettings(settings: ObjectSettings | undefined): ObjectSettings {
  const { tagging: _, headers = {}, ...rest } = settings ?? {};
  for (const [name, value] of Object.entries(headers)) {
    if (ACCEPTED[name.toLowerCase()]?.test(value)) continue;
    throw new RinglightError("RL_NOT_IMPLEMENTED", `a directory cannot honour the header ${name}`);
  }
  const redirect = headers["x-amz-website-redirect-location"];
  // What S3 says of an object whose type was never told; without it the name would be asked.
  return {
    contentType: "binary/octet-stream",
    ...rest,
    ...(redirect !== undefined && { headers: { "x-amz-website-redirect-location": redirect } }),
  };
}

/** Tags out of the header x-amz-tagging. */
export function tagsOf(tagging: string | undefined): [string, string][] {
  return tagging === undefined ? [] : [...new URLSearchParams(tagging)];
}
