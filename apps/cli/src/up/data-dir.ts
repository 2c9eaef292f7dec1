/** The data directory of a cluster on one machine: its lock, its secrets, its space. */
import { randomBytes, randomInt } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { isKernelDirectory } from "@ringlight/config";
import { formatBytes, RinglightError } from "@ringlight/core";

/** Names within the data directory. */
export function dataPaths(dataDir: string) {
  const at = (name: string) => path.join(dataDir, name);
  return {
    lock: at("up.lock"),
    token: at("cluster.token"),
    credentials: at("s3-credentials.json"),
    cluster: at("cluster.json"),
    logs: at("logs"),
    registry: at("registry"),
    scheduler: at("scheduler"),
    console: at("console"),
    demo: at("demo"),
    demoState: at("demo.json"),
    started: at("started"),
    worker: (number: number) => at(`worker-${number}`),
  };
}

/** Makes the directory, for its owner alone; true when it was not there before. @throws RL_NO_PERMISSION, RL_DISK_FULL or RL_BAD_REQUEST naming it. */
export function makeDataDir(dataDir: string): boolean {
  if (isKernelDirectory(dataDir)) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${dataDir} is the kernel's and holds no files; choose another directory with --data DIR`,
    );
  }
  try {
    const isNew = mkdirSync(dataDir, { recursive: true, mode: 0o700 }) !== undefined;
    if (isNew) chmodSync(dataDir, 0o700);
    accessSync(dataDir, constants.R_OK | constants.W_OK | constants.X_OK);
    mkdirSync(dataPaths(dataDir).logs, { recursive: true, mode: 0o700 });
    return isNew;
  } catch (error) {
    throw fileError(error, dataDir);
  }
}

/** A system error about the data directory as one of ours. */
export function fileError(error: unknown, dataDir: string): RinglightError {
  if (error instanceof RinglightError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const options = { cause: error };
  switch (code) {
    case "EACCES":
    case "EPERM":
    case "EROFS":
    // What making a directory on a read-only file system says, when its parent is missing too.
    case "ENOENT":
      return new RinglightError(
        "RL_NO_PERMISSION",
        `this user may not write to ${dataDir}; choose another directory with --data DIR`,
        options,
      );
    case "ENOSPC":
    case "EDQUOT":
      return new RinglightError(
        "RL_DISK_FULL",
        `the disk of ${dataDir} is full; free some space, or choose another disk with --data DIR`,
        options,
      );
    case "EEXIST":
    case "ENOTDIR":
      return new RinglightError(
        "RL_BAD_REQUEST",
        `${dataDir} is a file and no directory; choose another place with --data DIR`,
        options,
      );
    default:
      return new RinglightError("RL_INTERNAL", message, options);
  }
}

/** Start time of a process in clock ticks since the boot, which with the pid identifies it; undefined when it is gone. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The command's name, in parentheses, may hold spaces; start time is the 20th field after it.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Takes the directory for this process. A lock left by a process that is gone is taken over.
 * @returns what gives it back. Idempotent.
 * @throws RL_CONFLICT naming the process that has it.
 */
export function lockDataDir(dataDir: string): () => void {
  const file = dataPaths(dataDir).lock;
  const own = JSON.stringify({ pid: process.pid, ticks: startTicks(process.pid) });
  for (;;) {
    try {
      writeFileSync(file, own, { flag: "wx", mode: 0o600 });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw fileError(error, dataDir);
    }
    const holder = readLock(file);
    if (holder !== undefined) {
      throw new RinglightError(
        "RL_CONFLICT",
        `a cluster runs in ${dataDir} already (process ${holder}); stop it with Ctrl-C or kill ${holder}, or start another with --data DIR --port-offset 1000`,
      );
    }
    rmSync(file, { force: true });
  }
  let held = true;
  return () => {
    if (held) rmSync(file, { force: true });
    held = false;
  };
}

/** The living process that holds the lock, if one does. */
function readLock(file: string): number | undefined {
  try {
    const { pid, ticks } = JSON.parse(readFileSync(file, "utf8")) as { pid: number; ticks?: string };
    return isAlive(pid) && startTicks(pid) === ticks ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** An S3 key pair. */
export interface KeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const KEY_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

function newKeyPair(): KeyPair {
  const letters = Array.from({ length: 18 }, () => KEY_LETTERS[randomInt(KEY_LETTERS.length)]);
  // 30 bytes are 40 letters of base64url; without "-" and "_" it can be double-clicked.
  const secret = randomBytes(30).toString("base64url").replaceAll("-", "x").replaceAll("_", "y");
  return { accessKeyId: `RL${letters.join("")}`, secretAccessKey: secret };
}

/** The cluster's secrets: read, or made at the first start, readable by their owner only. */
export function ensureSecrets(dataDir: string): { token: string; keys: KeyPair } {
  const paths = dataPaths(dataDir);
  try {
    if (!existsSync(paths.token)) {
      writeFileSync(paths.token, `${randomBytes(32).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
    }
    if (!existsSync(paths.credentials)) {
      writeFileSync(paths.credentials, `${JSON.stringify(newKeyPair(), null, 2)}\n`, { mode: 0o600, flag: "wx" });
    }
    const keys = JSON.parse(readFileSync(paths.credentials, "utf8")) as KeyPair;
    return { token: readFileSync(paths.token, "utf8").trim(), keys };
  } catch (error) {
    throw fileError(error, dataDir);
  }
}

/** Bytes that this user may still write on the file system of a directory. */
export function freeBytes(dir: string): number {
  const stat = statfsSync(dir);
  return Number(stat.bavail) * Number(stat.bsize);
}

/** @throws RL_DISK_FULL when the directory's disk has fewer bytes left. */
export function checkSpace(dir: string, neededBytes: number, remedy: string): void {
  const free = freeBytes(dir);
  if (free >= neededBytes) return;
  throw new RinglightError(
    "RL_DISK_FULL",
    `the disk of ${dir} has ${formatBytes(free)} free and ${formatBytes(neededBytes)} are needed; ${remedy}`,
  );
}
