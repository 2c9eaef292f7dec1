/** S3 clients that are not ours, each as the same few operations. */
import { spawn } from "node:child_process";
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from "node:fs";
import { cp, open, rename, rm } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  PutObjectCommand,
  paginateListObjectsV2,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { runProcess, spawnProcess, waitFor } from "@ringlight/testing";
import { Client as Minio } from "minio";

const MIB = 1024 * 1024;
const PART_BYTES = 5 * MIB;
const RUN_MS = 120_000;

/** Where a client reads and writes. */
export interface Place {
  readonly endpoint: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** A directory for the client's own files. */
  readonly home: string;
}

/** A client. Prefixes end with a slash. */
export interface WritingClient {
  /** Puts a directory's files below a prefix; large ones in parts. */
  upload(directory: string, prefix: string): Promise<void>;
  /** Makes the prefix hold what the directory holds. */
  sync(directory: string, prefix: string): Promise<void>;
  download(prefix: string, directory: string): Promise<void>;
  /** Copies within the bucket, on the server where the client can. */
  copy(from: string, to: string): Promise<void>;
  remove(key: string): Promise<void>;
  removeAll(prefix: string): Promise<void>;
  /** Bytes `start` to `end` of an object; absent where the client cannot. */
  range?(key: string, start: number, end: number): Promise<Buffer>;
  close?(): Promise<void>;
}

/** The files below a directory, relative to it. */
export function filesOf(directory: string, at = directory): string[] {
  return readdirSync(at).flatMap((name) => {
    const path = join(at, name);
    return statSync(path).isDirectory() ? filesOf(directory, path) : [relative(directory, path)];
  });
}

function environment(place: Place): Record<string, string | undefined> {
  return {
    HOME: place.home,
    AWS_ACCESS_KEY_ID: place.accessKeyId,
    AWS_SECRET_ACCESS_KEY: place.secretAccessKey,
    AWS_DEFAULT_REGION: "us-east-1",
    AWS_CA_BUNDLE: undefined,
    S3_ENDPOINT: place.endpoint,
    BUCKET: place.bucket,
  };
}

/** Runs a program and returns its standard output as bytes. */
function bytesOf(command: string, args: readonly string[], env: Record<string, string | undefined>): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  const child = spawn(command, args, {
    env: { ...process.env, ...env } as NodeJS.ProcessEnv,
    stdio: ["ignore", "pipe", "inherit"],
    timeout: RUN_MS,
  });
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  child.once("error", reject);
  child.once("close", (code) =>
    code === 0 ? resolve(Buffer.concat(chunks)) : reject(new Error(`${command} ended with exit code ${code}`)),
  );
  return promise;
}

/** A release of AWS CLI that is newer than any of Debian's. */
const CURRENT_AWS_CLI = "1.46.3";

/** How to run an AWS CLI. */
interface AwsProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A current AWS CLI from the Python package index, kept for later runs, where this machine reaches one.
 * @returns its name and the client, or undefined
 */
export async function currentAwsCli(): Promise<readonly [string, (place: Place) => WritingClient] | undefined> {
  const cache = fileURLToPath(new URL("../../node_modules/.cache/ringlight/", import.meta.url));
  const directory = join(cache, `awscli-${CURRENT_AWS_CLI}`);
  const command = "/usr/bin/python3";
  const program = { command, args: [join(directory, "bin/aws")], env: { PYTHONPATH: directory } };
  if (!existsSync(join(directory, "bin/aws"))) {
    mkdirSync(cache, { recursive: true });
    const fresh = mkdtempSync(join(cache, "awscli-"));
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--target"];
    try {
      await runProcess(command, [...install, fresh, `awscli==${CURRENT_AWS_CLI}`], { timeoutMs: RUN_MS });
      await rename(fresh, directory);
    } catch (error) {
      rmSync(fresh, { recursive: true, force: true });
      console.log(`A current AWS CLI cannot be had here: ${String(error).slice(0, 300)}`);
      return undefined;
    }
  }
  return [`AWS CLI ${CURRENT_AWS_CLI}`, (place) => awsCli(place, program)];
}

const DEBIANS: AwsProgram = { command: "/usr/bin/aws", args: [], env: {} };

function awsCli(place: Place, { command, args, env }: AwsProgram = DEBIANS): WritingClient {
  const at = (key: string) => `s3://${place.bucket}/${key}`;
  const run = async (...words: string[]) => {
    const endpoint = ["--endpoint-url", place.endpoint];
    const options = { env: { ...environment(place), ...env }, timeoutMs: RUN_MS };
    await runProcess(command, [...args, ...endpoint, ...words], options);
  };
  const s3 = (verb: string, ...words: string[]) => run("s3", verb, "--only-show-errors", ...words);
  return {
    upload: (directory, prefix) => s3("cp", "--recursive", directory, at(prefix)),
    sync: (directory, prefix) => s3("sync", "--delete", directory, at(prefix)),
    download: (prefix, directory) => s3("cp", "--recursive", at(prefix), directory),
    copy: (from, to) => s3("cp", at(from), at(to)),
    remove: (key) => s3("rm", at(key)),
    removeAll: (prefix) => s3("rm", "--recursive", at(prefix)),
    range: async (key, start, end) => {
      const file = join(place.home, "range");
      await run(
        "s3api",
        "get-object",
        "--bucket",
        place.bucket,
        "--key",
        key,
        "--range",
        `bytes=${start}-${end}`,
        file,
      );
      return collect(createReadStream(file));
    },
  };
}

function boto3(place: Place): WritingClient {
  const script = fileURLToPath(new URL("boto3-client.py", import.meta.url));
  const run = async (...args: string[]) => bytesOf("/usr/bin/python3", [script, ...args], environment(place));
  return {
    upload: async (directory, prefix) => void (await run("upload", directory, prefix)),
    sync: async (directory, prefix) => void (await run("upload", directory, prefix)),
    download: async (prefix, directory) => void (await run("download", prefix, directory)),
    copy: async (from, to) => void (await run("copy", from, to)),
    remove: async (key) => void (await run("remove", key)),
    removeAll: async (prefix) => void (await run("removeAll", prefix)),
    range: (key, start, end) => run("range", key, String(start), String(end)),
  };
}

function rclone(place: Place): WritingClient {
  const remote = `:s3,provider=Other,env_auth=true,force_path_style=true,no_check_bucket=true,endpoint="${place.endpoint}",chunk_size=5Mi,upload_cutoff=8Mi:${place.bucket}/`;
  const env = environment(place);
  const run = async (...args: string[]) => {
    await runProcess("rclone", args, { env, timeoutMs: RUN_MS });
  };
  return {
    upload: (directory, prefix) => run("copy", directory, remote + prefix),
    sync: (directory, prefix) => run("sync", directory, remote + prefix),
    download: (prefix, directory) => run("copy", remote + prefix, directory),
    copy: (from, to) => run("copyto", remote + from, remote + to),
    remove: (key) => run("deletefile", remote + key),
    removeAll: (prefix) => run("delete", remote + prefix),
    range: (key, start, end) =>
      bytesOf("rclone", ["cat", "--offset", String(start), "--count", String(end - start + 1), remote + key], env),
  };
}

function s3cmd(place: Place): WritingClient {
  const { host } = new URL(place.endpoint);
  const at = (key: string) => `s3://${place.bucket}/${key}`;
  const run = async (...args: string[]) => {
    const options = ["--no-ssl", `--host=${host}`, `--host-bucket=${host}`, "--region=us-east-1", "--no-progress"];
    const keys = [`--access_key=${place.accessKeyId}`, `--secret_key=${place.secretAccessKey}`];
    const parts = ["--multipart-chunk-size-mb=5"];
    await runProcess("s3cmd", [...options, ...keys, ...parts, ...args], { env: environment(place), timeoutMs: RUN_MS });
  };
  return {
    upload: (directory, prefix) => run("put", "--recursive", `${directory}/`, at(prefix)),
    sync: (directory, prefix) => run("sync", "--delete-removed", `${directory}/`, at(prefix)),
    download: (prefix, directory) => run("get", "--recursive", "--force", at(prefix), `${directory}/`),
    copy: (from, to) => run("cp", at(from), at(to)),
    remove: (key) => run("del", at(key)),
    removeAll: (prefix) => run("del", "--recursive", "--force", at(prefix)),
  };
}

/** The AWS SDK with its defaults: checksums in trailers of chunked bodies. */
function awsSdk(place: Place): WritingClient {
  const { bucket: Bucket } = place;
  const s3 = new S3Client({ endpoint: place.endpoint, region: "us-east-1", forcePathStyle: true, credentials: place });
  const put = async (path: string, Key: string) => {
    const { size } = statSync(path);
    if (size <= 8 * MIB) {
      await s3.send(new PutObjectCommand({ Bucket, Key, Body: createReadStream(path), ContentLength: size }));
      return;
    }
    const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key, ChecksumAlgorithm: "CRC32C" }));
    const parts = Array.from({ length: Math.ceil(size / PART_BYTES) }, async (_, at) => {
      const start = at * PART_BYTES;
      const end = Math.min(size, start + PART_BYTES) - 1;
      const Body = createReadStream(path, { start, end });
      const part = { Bucket, Key, UploadId, PartNumber: at + 1, ChecksumAlgorithm: "CRC32C" as const };
      const answer = await s3.send(new UploadPartCommand({ ...part, Body, ContentLength: end - start + 1 }));
      return { PartNumber: at + 1, ETag: answer.ETag, ChecksumCRC32C: answer.ChecksumCRC32C };
    });
    const MultipartUpload = { Parts: await Promise.all(parts) };
    await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
  };
  const keys = async (Prefix: string) => {
    const found: string[] = [];
    for await (const page of paginateListObjectsV2({ client: s3, pageSize: 3 }, { Bucket, Prefix })) {
      for (const { Key } of page.Contents ?? []) if (Key !== undefined) found.push(Key);
    }
    return found;
  };
  const get = async (Key: string, Range?: string) => {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key, ...(Range && { Range }) }));
    return Buffer.from((await Body?.transformToByteArray()) ?? []);
  };
  const upload = async (directory: string, prefix: string) => {
    for (const file of filesOf(directory)) await put(join(directory, file), prefix + file);
  };
  return {
    upload,
    sync: upload,
    download: async (prefix, directory) => {
      for (const key of await keys(prefix)) await write(directory, key.slice(prefix.length), [await get(key)]);
    },
    copy: async (from, to) => {
      const CopySource = encodeURI(`${Bucket}/${from}`);
      await s3.send(new CopyObjectCommand({ Bucket, Key: to, CopySource }));
    },
    remove: async (Key) => void (await s3.send(new DeleteObjectCommand({ Bucket, Key }))),
    removeAll: async (prefix) => {
      const Objects = (await keys(prefix)).map((Key) => ({ Key }));
      await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
    },
    range: (key, start, end) => get(key, `bytes=${start}-${end}`),
    close: async () => s3.destroy(),
  };
}

function minio(place: Place): WritingClient {
  const { hostname, port } = new URL(place.endpoint);
  const { bucket } = place;
  const client = new Minio({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: place.accessKeyId,
    secretKey: place.secretAccessKey,
    region: "us-east-1",
    partSize: PART_BYTES,
  });
  const keys = async (prefix: string) => {
    const found: string[] = [];
    for await (const entry of client.listObjectsV2(bucket, prefix, true)) found.push((entry as { name: string }).name);
    return found;
  };
  const upload = async (directory: string, prefix: string) => {
    for (const file of filesOf(directory)) await client.fPutObject(bucket, prefix + file, join(directory, file));
  };
  return {
    upload,
    sync: upload,
    download: async (prefix, directory) => {
      for (const key of await keys(prefix)) {
        await write(directory, key.slice(prefix.length), await client.getObject(bucket, key));
      }
    },
    copy: async (from, to) => void (await client.copyObject(bucket, to, encodeURI(`/${bucket}/${from}`))),
    remove: (key) => client.removeObject(bucket, key),
    removeAll: async (prefix) => void (await client.removeObjects(bucket, await keys(prefix))),
    range: async (key, start, end) => collect(await client.getPartialObject(bucket, key, start, end - start + 1)),
  };
}

/** s3fs mounts the bucket: its operations are the file system's. */
async function s3fs(place: Place): Promise<WritingClient> {
  const directory = mkdtempSync(join(place.home, "s3fs-"));
  const options = [`url=${place.endpoint}`, "use_path_request_style", "multipart_size=5", "enable_content_md5"];
  const args = [place.bucket, directory, "-f", ...options.flatMap((option) => ["-o", option])];
  const env = {
    ...environment(place),
    AWSACCESSKEYID: place.accessKeyId,
    AWSSECRETACCESSKEY: place.secretAccessKey,
  };
  const before = statSync(directory).dev;
  const mounted = await spawnProcess("s3fs", args, { env });
  await waitFor(() => statSync(directory).dev !== before, { timeoutMs: 15_000 });
  const at = (key: string) => join(directory, key);
  const upload = (from: string, prefix: string) => cp(from, at(prefix), { recursive: true, force: true });
  return {
    upload,
    sync: upload,
    download: (prefix, to) => cp(at(prefix), to, { recursive: true }),
    copy: (from, to) => cp(at(from), at(to)),
    remove: (key) => rm(at(key)),
    removeAll: (prefix) => rm(at(prefix), { recursive: true }),
    range: async (key, start, end) => {
      const file = await open(at(key));
      try {
        const { buffer } = await file.read(Buffer.alloc(end - start + 1), 0, end - start + 1, start);
        return buffer;
      } finally {
        await file.close();
      }
    },
    close: async () => {
      await runProcess("umount", [directory], { timeoutMs: 15_000 });
      await mounted.stop(10_000);
    },
  };
}

/** All clients by name. */
export const WRITING_CLIENTS: Readonly<Record<string, (place: Place) => WritingClient | Promise<WritingClient>>> = {
  "AWS CLI": (place) => awsCli(place),
  boto3,
  "AWS SDK for JavaScript": awsSdk,
  "minio-js": minio,
  rclone,
  s3cmd,
  s3fs,
};

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function write(directory: string, file: string, body: Iterable<Uint8Array> | AsyncIterable<Uint8Array>) {
  const path = join(directory, file);
  mkdirSync(dirname(path), { recursive: true });
  rmSync(path, { force: true });
  await pipeline(body, createWriteStream(path));
}
