/**
 * Multipart uploads to file:// mounts: a directory for an upload, a file for a part, put together at the end. Long, because what
 * an upload and its parts are on disk, and in which order they come and go, is known to this file alone.
 */
import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  compositeChecksum,
  createChecksum,
  fullObjectChecksum,
  isCrc,
  type RunningChecksum,
} from "@ringlight/checksum";
import {
  type ChecksumAlgorithm,
  type CompleteRequest,
  type CopyRequest,
  type CreatedUpload,
  type CreateUploadRequest,
  compareKeys,
  type ListedPart,
  type ListUploadsRequest,
  type ObjectChecksums,
  type ObjectMeta,
  type PartCopyRequest,
  type PartsPage,
  RinglightError,
  type StopSignal,
  type UfsCallOptions,
  type UfsObservation,
  type UfsWriteBody,
  type UploadsPage,
  type WriteConditions,
  type WriteResult,
  type WrittenPart,
} from "@ringlight/core";
import { fileError, isMissing } from "./file-keys.ts";
import { keptSettings, type Sidecar, tagsOf } from "./file-sidecars.ts";
import type { TemporaryFile } from "./file-write.ts";
import { multipartEtag } from "./multipart-etag.ts";

const MIN_PART_BYTES = 5 * 1024 * 1024;
const MAX_PART_NUMBER = 10_000;
const COPY_CHUNK_BYTES = 1024 * 1024;
const UPLOAD_ID = /^[0-9a-f]{32}$/;
const PART_NAME = /^part-(\d{5})\.([0-9a-f]{32})$/;

/** What is kept of an upload. */
interface Upload {
  readonly key: string;
  readonly initiatedMs: number;
  readonly settings: Sidecar["settings"];
  readonly tags: Sidecar["tags"];
  readonly checksumAlgorithm?: CreateUploadRequest["checksumAlgorithm"];
  readonly checksumType?: ObjectChecksums["type"];
}

interface BegunUpload {
  readonly directory: string;
  readonly upload: Upload;
}

interface StoredPart extends ListedPart {
  readonly path: string;
}

/** Multipart uploads of one mount. */
export abstract class FileMultipart {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  protected abstract receive(body: UfsWriteBody, signal: StopSignal | undefined): Promise<TemporaryFile>;
  protected abstract place(
    key: string,
    file: TemporaryFile,
    etag: string,
    conditions: WriteConditions | undefined,
    kept: Omit<Sidecar, "key" | "etag">,
  ): Promise<WriteResult>;
  /** What the upload made, if the object is still there. */
  protected abstract madeBy(uploadId: string, key: string): Promise<WriteResult | undefined>;
  protected abstract source(
    key: string,
    conditions: CopyRequest["sourceConditions"],
  ): Promise<{ readonly key: string; readonly meta: ObjectMeta }>;
  protected abstract rangeOf(
    source: { readonly key: string; readonly meta: ObjectMeta },
    start: number,
    length: number,
  ): UfsWriteBody;
  protected abstract observed<T>(op: UfsObservation["op"], bytes: number, work: () => Promise<T>): Promise<T>;

  createUpload(key: string, request: CreateUploadRequest, _options?: UfsCallOptions): Promise<CreatedUpload> {
    return this.observed("multipart", 0, async () => {
      const uploadId = randomBytes(16).toString("hex");
      const { settings, checksumAlgorithm, checksumType } = request;
      const upload: Upload = {
        key,
        initiatedMs: Date.now(),
        settings: keptSettings(settings),
        tags: tagsOf(settings?.tagging),
        ...(checksumAlgorithm && { checksumAlgorithm }),
        ...(checksumType && { checksumType }),
      };
      const directory = join(this.#directory, uploadId);
      try {
        await mkdir(directory, { recursive: true });
        await writeFile(join(directory, "upload.json"), JSON.stringify(upload));
      } catch (error) {
        throw fileError(error, directory);
      }
      return { uploadId };
    });
  }

  uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: UfsWriteBody,
    options?: UfsCallOptions,
  ): Promise<WrittenPart> {
    return this.observed("multipart", body.sizeBytes, async () => {
      const { directory, upload } = await this.#upload(key, uploadId);
      if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > MAX_PART_NUMBER) {
        throw new RinglightError("RL_BAD_REQUEST", `the number of a part is 1 to ${MAX_PART_NUMBER}`);
      }
      // The checksum that the upload was begun with is made here where the client sends none.
      const wanted = upload.checksumAlgorithm;
      if (wanted !== undefined && body.checksum !== undefined && body.checksum.algorithm !== wanted) {
        throw otherChecksum(wanted, body.checksum.algorithm);
      }
      const running = wanted === undefined || body.checksum !== undefined ? undefined : createChecksum(wanted);
      const file = await this.receive(running === undefined ? body : summed(body, running), options?.signal);
      const name = `part-${String(partNumber).padStart(5, "0")}`;
      const path = join(directory, `${name}.${file.md5}`);
      const value = body.checksum?.value();
      const values: ObjectChecksums["values"] = {
        ...(body.checksum && value !== undefined && { [body.checksum.algorithm]: value }),
        ...(wanted && running && { [wanted]: running.digest().toString("base64") }),
      };
      const checksums: ObjectChecksums | undefined =
        Object.keys(values).length === 0 ? undefined : { type: "FULL_OBJECT", values };
      try {
        if (checksums) await writeFile(`${path}.json`, JSON.stringify(checksums));
        await rename(file.path, path);
        // A part that is sent again takes the place of the one before.
        for (const other of await readdir(directory)) {
          if (other.startsWith(`${name}.`) && !other.startsWith(`${name}.${file.md5}`)) {
            await rm(join(directory, other), { force: true });
          }
        }
      } catch (error) {
        await rm(file.path, { force: true });
        if (isMissing(error)) throw noSuchUpload(uploadId);
        throw fileError(error, path);
      }
      return { etag: `"${file.md5}"`, modifiedMs: Date.now(), ...(checksums && { checksums }) };
    });
  }

  async uploadPartCopy(
    key: string,
    uploadId: string,
    partNumber: number,
    request: PartCopyRequest,
    options?: UfsCallOptions,
  ): Promise<WrittenPart> {
    const source = await this.source(request.sourceKey, request.sourceConditions);
    const { start, end } = request.range ?? { start: 0, end: source.meta.sizeBytes - 1 };
    if (end >= source.meta.sizeBytes || start > end + 1) {
      throw new RinglightError(
        "RL_BAD_RANGE",
        `the range ends behind the ${source.meta.sizeBytes} bytes of the source`,
      );
    }
    return this.uploadPart(key, uploadId, partNumber, this.rangeOf(source, start, end - start + 1), options);
  }

  async listParts(
    key: string,
    uploadId: string,
    page: { readonly partNumberMarker: number; readonly maxParts: number },
    _options?: UfsCallOptions,
  ): Promise<PartsPage> {
    const { directory, upload } = await this.#upload(key, uploadId);
    const later = (await this.#parts(directory)).filter((part) => part.partNumber > page.partNumberMarker);
    const parts = later.slice(0, page.maxParts).map(({ path: _, ...part }) => part);
    return {
      parts,
      truncated: later.length > parts.length,
      nextPartNumberMarker: parts.at(-1)?.partNumber ?? 0,
      storageClass: upload.settings.storageClass ?? "STANDARD",
      ...(upload.checksumAlgorithm && { checksumAlgorithm: upload.checksumAlgorithm }),
      ...(upload.checksumType && { checksumType: upload.checksumType }),
    };
  }

  completeUpload(
    key: string,
    uploadId: string,
    request: CompleteRequest,
    options?: UfsCallOptions,
  ): Promise<WriteResult> {
    return this.observed("multipart", 0, async () => {
      const begun = await this.#find(key, uploadId);
      if (begun === undefined) return this.#completedBefore(key, uploadId, request);
      const { directory, upload } = begun;
      requirePartChecksums(upload, request);
      const stored = new Map((await this.#parts(directory)).map((part) => [part.partNumber, part]));
      const parts = request.parts.map(({ partNumber, etag, checksums }, index) => {
        if (index > 0 && partNumber <= (request.parts[index - 1]?.partNumber ?? 0)) {
          throw new RinglightError("RL_INVALID_PART_ORDER", "the parts are not in ascending order");
        }
        const part = stored.get(partNumber);
        const isThat = part?.etag === `"${etag.replaceAll('"', "")}"`;
        if (part !== undefined && isThat && agree(checksums, part.checksums?.values)) return part;
        throw new RinglightError("RL_INVALID_PART", `part ${partNumber} is not there with the ETag ${etag}`);
      });
      const small = parts.slice(0, -1).find((part) => part.sizeBytes < MIN_PART_BYTES);
      if (small !== undefined) {
        throw new RinglightError("RL_ENTITY_TOO_SMALL", `part ${small.partNumber} has ${small.sizeBytes} bytes`);
      }
      const sizeBytes = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
      if (request.sizeBytes !== undefined && request.sizeBytes !== sizeBytes) {
        throw new RinglightError("RL_BAD_REQUEST", `the parts have ${sizeBytes} bytes, not ${request.sizeBytes}`);
      }
      const etag = multipartEtag(parts.map((part) => part.etag));
      if (etag === undefined || parts.length === 0) throw new RinglightError("RL_INVALID_PART", "no part is named");
      const made = checksumsOfWhole(upload, parts);
      const given = request.checksums?.values;
      if (given !== undefined && made !== undefined && !agree(given, made.values)) throw badDigest(given);
      // What the upload was not begun with is made of the bytes.
      const others = made === undefined ? algorithmsOf(given).map((name) => ({ name, sum: createChecksum(name) })) : [];
      const whole = others.reduce<UfsWriteBody>((body, { sum }) => summed(body, sum), {
        sizeBytes,
        stream: bytesOf(parts),
      });
      const file = await this.receive(whole, options?.signal);
      if (others.some(({ name, sum }) => given?.[name] !== sum.digest().toString("base64"))) {
        await rm(file.path, { force: true });
        throw badDigest(given);
      }
      const checksums = made ?? request.checksums;
      const result = await this.place(key, file, etag, request.conditions, {
        settings: upload.settings,
        tags: upload.tags,
        uploadId,
        partSizes: parts.map((part) => part.sizeBytes),
        ...(checksums && { checksums }),
        ...(made && { partChecksums: parts.map((part) => ofAlgorithm(made, part.checksums?.values)) }),
      });
      await rm(directory, { recursive: true, force: true });
      return result;
    });
  }

  abortUpload(key: string, uploadId: string, _options?: UfsCallOptions): Promise<void> {
    return this.observed("multipart", 0, async () => {
      const { directory } = await this.#upload(key, uploadId);
      await rm(directory, { recursive: true, force: true });
    });
  }

  async listUploads(request: ListUploadsRequest, _options?: UfsCallOptions): Promise<UploadsPage> {
    const { prefix, delimiter, keyMarker, uploadIdMarker, maxUploads } = request;
    const all: (Upload & { readonly uploadId: string })[] = [];
    for (const uploadId of await this.#ids()) {
      const upload = await this.#read(uploadId);
      if (upload?.key.startsWith(prefix)) all.push({ ...upload, uploadId });
    }
    all.sort(
      (a, b) => compareKeys(a.key, b.key) || a.initiatedMs - b.initiatedMs || (a.uploadId < b.uploadId ? -1 : 1),
    );
    const start =
      uploadIdMarker === "" ? -1 : all.findIndex((row) => row.key === keyMarker && row.uploadId === uploadIdMarker);
    const rows = all.filter((row, index) =>
      start >= 0 ? index > start : keyMarker === "" || compareKeys(row.key, keyMarker) > 0,
    );
    const uploads: UploadsPage["uploads"][number][] = [];
    const rolled = new Set<string>();
    let last: { readonly key: string; readonly uploadId: string } = { key: "", uploadId: "" };
    for (const { key, uploadId, initiatedMs, settings, checksumAlgorithm, checksumType } of rows) {
      const at = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
      const common = at === -1 ? undefined : key.slice(0, at + delimiter.length);
      // What was rolled up on the page before is behind its marker.
      if (common !== undefined && (rolled.has(common) || keyMarker.startsWith(common))) continue;
      if (uploads.length + rolled.size >= maxUploads) {
        const more = { truncated: true, nextKeyMarker: last.key, nextUploadIdMarker: last.uploadId };
        return { uploads, commonPrefixes: [...rolled], ...more };
      }
      if (common !== undefined) rolled.add(common);
      else {
        uploads.push({
          key,
          uploadId,
          initiatedMs,
          storageClass: settings.storageClass ?? "STANDARD",
          ...(checksumAlgorithm && { checksumAlgorithm }),
          ...(checksumType && { checksumType }),
        });
      }
      last = common === undefined ? { key, uploadId } : { key: common, uploadId: "" };
    }
    return { uploads, commonPrefixes: [...rolled], truncated: false, nextKeyMarker: "", nextUploadIdMarker: "" };
  }

  async #ids(): Promise<string[]> {
    try {
      return (await readdir(this.#directory)).filter((name) => UPLOAD_ID.test(name));
    } catch (error) {
      if (isMissing(error)) return [];
      throw fileError(error, this.#directory);
    }
  }

  async #read(uploadId: string): Promise<Upload | undefined> {
    const path = join(this.#directory, uploadId, "upload.json");
    try {
      return JSON.parse(await readFile(path, "utf8")) as Upload;
    } catch (error) {
      // It is being begun, or taken away, at this moment.
      if (isMissing(error) || error instanceof SyntaxError) return undefined;
      throw fileError(error, path);
    }
  }

  async #find(key: string, uploadId: string): Promise<BegunUpload | undefined> {
    const upload = UPLOAD_ID.test(uploadId) ? await this.#read(uploadId) : undefined;
    return upload?.key === key ? { directory: join(this.#directory, uploadId), upload } : undefined;
  }

  /** @throws RL_NO_SUCH_UPLOAD */
  async #upload(key: string, uploadId: string): Promise<BegunUpload> {
    const begun = await this.#find(key, uploadId);
    if (begun === undefined) throw noSuchUpload(uploadId);
    return begun;
  }

  /** Completes once more what is complete: the first answer may not have arrived. @throws RL_NO_SUCH_UPLOAD */
  async #completedBefore(key: string, uploadId: string, request: CompleteRequest): Promise<WriteResult> {
    const made = await this.madeBy(uploadId, key);
    if (made !== undefined && made.etag === multipartEtag(request.parts.map((part) => part.etag))) return made;
    throw noSuchUpload(uploadId);
  }

  /** The parts that are there, in order. */
  async #parts(directory: string): Promise<StoredPart[]> {
    const parts = new Map<number, StoredPart>();
    const names: string[] = await readdir(directory).catch(() => []);
    for (const name of names) {
      const match = PART_NAME.exec(name);
      if (match === null) continue;
      const path = join(directory, name);
      try {
        const { size, mtimeMs } = await stat(path);
        const checksums = names.includes(`${name}.json`)
          ? (JSON.parse(await readFile(`${path}.json`, "utf8")) as ObjectChecksums)
          : undefined;
        const partNumber = Number(match[1]);
        const row = { partNumber, etag: `"${match[2]}"`, sizeBytes: size, modifiedMs: Math.floor(mtimeMs), path };
        // Two of one number are there for a moment, while one takes the other's place.
        if ((parts.get(partNumber)?.modifiedMs ?? 0) <= row.modifiedMs) {
          parts.set(partNumber, { ...row, ...(checksums && { checksums }) });
        }
      } catch (error) {
        if (!isMissing(error)) throw fileError(error, path);
      }
    }
    return [...parts.values()].sort((a, b) => a.partNumber - b.partNumber);
  }
}

function noSuchUpload(uploadId: string): RinglightError {
  return new RinglightError("RL_NO_SUCH_UPLOAD", `no upload "${uploadId.slice(0, 64)}" of this key was begun`);
}

async function* bytesOf(parts: readonly StoredPart[]): AsyncGenerator<Uint8Array> {
  for (const { path } of parts) {
    const handle = await open(path, "r");
    try {
      for (;;) {
        const buffer = Buffer.allocUnsafe(COPY_CHUNK_BYTES);
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
        if (bytesRead === 0) break;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await handle.close();
    }
  }
}

/** The body, with its bytes put into a checksum as they pass. */
export function summed(body: UfsWriteBody, sum: RunningChecksum): UfsWriteBody {
  async function* pass(): AsyncGenerator<Uint8Array> {
    for await (const piece of body.stream) {
      sum.update(piece);
      yield piece;
    }
  }
  return { sizeBytes: body.sizeBytes, stream: pass() };
}

type Checksums = ObjectChecksums["values"];

function algorithmsOf(values: Checksums | undefined): ChecksumAlgorithm[] {
  return Object.keys(values ?? {}) as ChecksumAlgorithm[];
}

/** Are the given checksums among those that are known? A composite one may lack the number of parts. */
function agree(given: Checksums | undefined, known: Checksums | undefined): boolean {
  return algorithmsOf(given).every((name) => {
    const value = known?.[name];
    return given?.[name] === value || given?.[name] === value?.replace(/-\d+$/, "");
  });
}

function typeOf(upload: Upload, algorithm: ChecksumAlgorithm): ObjectChecksums["type"] {
  return upload.checksumType ?? (algorithm === "CRC64NVME" ? "FULL_OBJECT" : "COMPOSITE");
}

/** Those checksums of a part that are of the object's algorithm. */
function ofAlgorithm(made: ObjectChecksums, part: Checksums | undefined): Checksums {
  return Object.fromEntries(algorithmsOf(made.values).map((name) => [name, part?.[name] ?? ""]));
}

function badRequest(message: string): RinglightError {
  return new RinglightError("RL_BAD_REQUEST", message, { s3: { code: "InvalidRequest", status: 400, message } });
}

function otherChecksum(wanted: ChecksumAlgorithm, sent: ChecksumAlgorithm): RinglightError {
  const [expected, actual] = [wanted.toLowerCase(), sent.toLowerCase()];
  return badRequest(
    `Checksum Type mismatch occurred, expected checksum Type: ${expected}, actual checksum Type: ${actual}`,
  );
}

/** A composite checksum is proved by those of the parts, which the completion must name. @throws RL_BAD_REQUEST */
function requirePartChecksums(upload: Upload, request: CompleteRequest): void {
  const { checksumAlgorithm: algorithm } = upload;
  if (algorithm === undefined || typeOf(upload, algorithm) !== "COMPOSITE") return;
  const without = request.parts.find((part) => part.checksums?.[algorithm] === undefined);
  if (without === undefined) return;
  throw badRequest(
    `The upload was created using a ${algorithm.toLowerCase()} checksum. The complete request must include the checksum for each part. It was missing for part ${without.partNumber} in the request.`,
  );
}

/** The checksums that an upload has which was begun with an algorithm. */
function checksumsOfWhole(upload: Upload, parts: readonly StoredPart[]): ObjectChecksums | undefined {
  const { checksumAlgorithm: algorithm } = upload;
  if (algorithm === undefined) return undefined;
  const of = parts.map((part) => ({ checksum: part.checksums?.values[algorithm] ?? "", sizeBytes: part.sizeBytes }));
  const type = typeOf(upload, algorithm);
  const whole = type === "FULL_OBJECT" && isCrc(algorithm);
  return {
    type,
    values: { [algorithm]: whole ? fullObjectChecksum(algorithm, of) : compositeChecksum(algorithm, of) },
  };
}

function badDigest(given: Checksums | undefined): RinglightError {
  const [name] = algorithmsOf(given);
  return new RinglightError("RL_BAD_DIGEST", `The ${name} you specified did not match the calculated checksum.`);
}
