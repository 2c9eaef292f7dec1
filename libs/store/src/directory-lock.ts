/** One process a directory: a lock file that names its holder. */
import * as fs from "node:fs";
import { join } from "node:path";
import { RinglightError } from "@ringlight/core";
import { errnoOf } from "./file-io.ts";

/** Name of the lock file. */
export const LOCK_FILE = "ringlight-store.lock";

interface Holder {
  readonly pid: number;
  /** When the process started, as the kernel counts it; tells a process from a later one of the same pid. */
  readonly started: string;
}

let attempts = 0;

/**
 * Holds a directory for this process. The lock of a process that is gone, or whose pid now belongs to another program, is
 * taken over. Processes are told apart by pid, start time and boot where /proc has them, and by pid alone elsewhere.
 */
export class DirectoryLock {
  readonly #path: string;
  readonly #text: string;

  private constructor(path: string, text: string) {
    this.#path = path;
    this.#text = text;
  }

  /** @throws RL_CONFLICT naming the holder's pid and the directory; errors of the file system as they are. */
  static acquire(directory: string): DirectoryLock {
    const path = join(directory, LOCK_FILE);
    const text = `${JSON.stringify({ pid: process.pid, started: startOf(process.pid) } satisfies Holder)}\n`;
    const own = `${path}.${process.pid}.${attempts++}`;
    fs.writeFileSync(own, text, { flag: "w", mode: 0o600 });
    try {
      for (let attempt = 0; attempt < 16; attempt++) {
        if (link(own, path)) return new DirectoryLock(path, text);
        const found = read(path);
        if (found === undefined) continue;
        const holder = parse(found);
        if (holder && isAlive(holder)) throw conflict(directory, holder);
        moveAway(path, `${own}.stale`, found);
      }
    } finally {
      fs.rmSync(own, { force: true });
    }
    throw new RinglightError("RL_CONFLICT", `${directory} is being taken by another process at this moment; try again`);
  }

  /** Gives the directory free. Idempotent. */
  release(): void {
    if (read(this.#path) === this.#text) fs.rmSync(this.#path, { force: true });
  }
}

function conflict(directory: string, holder: Holder): RinglightError {
  const who = holder.pid === process.pid ? "this process" : `process ${holder.pid}`;
  return new RinglightError(
    "RL_CONFLICT",
    `${directory} is in use by ${who} (pid ${holder.pid}); stop it, or choose another directory`,
  );
}

/** Removes a dead holder's lock. A lock that a third process took between reading and moving is put back. */
function moveAway(path: string, aside: string, expected: string): void {
  try {
    fs.renameSync(path, aside);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
  if (read(aside) !== expected) link(aside, path);
  fs.rmSync(aside, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw error;
  }
}

function read(path: string): string | undefined {
  try {
    return fs.readFileSync(path, "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

function parse(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || !("pid" in value) || !("started" in value)) return undefined;
    const { pid, started } = value;
    if (typeof pid !== "number" || !Number.isInteger(pid) || pid <= 0 || typeof started !== "string") return undefined;
    return { pid, started };
  } catch {
    return undefined;
  }
}

function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    if (errnoOf(error) === "ESRCH") return false;
  }
  const started = startOf(holder.pid);
  return started === "" || holder.started === "" || started === holder.started;
}

/** Boot id and start time of a process, "" where the machine has no /proc. */
function startOf(pid: number): string {
  try {
    const boot = fs.readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field, the program's name in parentheses, may hold spaces; start time is the 20th field behind it.
    return `${boot}:${stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""}`;
  } catch {
    return "";
  }
}
