/** How large the tiers of the workers become. */
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { formatBytes, RinglightError } from "@ringlight/core";
import { checkSpace, dataPaths, freeBytes } from "./data-dir.ts";

/** Tiers of every worker. */
export interface TierPlan {
  readonly memBytes: number;
  readonly ssdBytes: number;
  /** What was made smaller than the default, for people; undefined if nothing. */
  readonly note: string | undefined;
}

const MIB = 1024 ** 2;
const DEFAULT_MEM_BYTES = 256 * MIB;
const DEFAULT_SSD_BYTES = 2048 * MIB;
const SMALLEST_MEM_BYTES = 16 * MIB;
const SMALLEST_SSD_BYTES = 128 * MIB;
/** Share of the free bytes that a default may take. */
const MEM_SHARE = 0.7;
const SSD_SHARE = 0.6;
const MEMORY_FS = "/dev/shm";

/** Bytes of the files in a directory and below. */
function usedBytes(dir: string): number {
  if (!existsSync(dir)) return 0;
  let sum = 0;
  for (const entry of readdirSync(dir, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    sum += statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return sum;
}

/** Bytes that the mem tiers of this data directory's workers hold already; each names its owner in a file. */
function memUsedBytes(dataDir: string): number {
  const mine = (home: string): boolean => {
    try {
      return readFileSync(path.join(home, "owner"), "utf8").startsWith(`${dataDir}${path.sep}`);
    } catch {
      return false;
    }
  };
  const homes = readdirSync(MEMORY_FS).filter((name) => name.startsWith(`ringlight-${os.userInfo().uid}-`));
  return homes
    .map((name) => path.join(MEMORY_FS, name))
    .filter(mine)
    .reduce((sum, home) => sum + usedBytes(home), 0);
}

function hasMemoryFs(): boolean {
  try {
    accessSync(MEMORY_FS, constants.R_OK | constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The wanted size if the option is given, else the default or as much of it as fits. */
function size(wanted: number | undefined, standard: number, smallest: number, share: number): number {
  if (wanted !== undefined) return wanted;
  const fair = Math.floor(share / MIB) * MIB;
  return fair >= standard ? standard : fair >= smallest ? fair : 0;
}

/**
 * Plans the tiers: given sizes must fit, defaults shrink to what the machine has.
 * @throws RL_DISK_FULL when something that was asked for does not fit, or nothing fits.
 */
export function planTiers(
  dataDir: string,
  workers: number,
  wanted: { readonly memBytes: number | undefined; readonly ssdBytes: number | undefined },
  otherBytes: number,
): TierPlan {
  const numbers = Array.from({ length: workers }, (_, index) => index + 1);
  const memoryFs = hasMemoryFs();
  const memFree = memoryFs ? freeBytes(MEMORY_FS) + memUsedBytes(dataDir) : freeBytes(dataDir);
  const cached = numbers.reduce((sum, worker) => sum + usedBytes(dataPaths(dataDir).worker(worker)), 0);
  const diskFree = freeBytes(dataDir) + cached - otherBytes;

  const memBytes = size(wanted.memBytes, DEFAULT_MEM_BYTES, SMALLEST_MEM_BYTES, (memFree * MEM_SHARE) / workers);
  const ssdBytes = size(wanted.ssdBytes, DEFAULT_SSD_BYTES, SMALLEST_SSD_BYTES, (diskFree * SSD_SHARE) / workers);
  if (memBytes * workers > memFree) {
    throw new RinglightError(
      "RL_DISK_FULL",
      `--mem ${formatBytes(memBytes)} for each of ${workers} workers does not fit into the ${formatBytes(memFree)} that ${memoryFs ? MEMORY_FS : dataDir} has free; ask for less`,
    );
  }
  checkSpace(
    dataDir,
    ssdBytes * workers + otherBytes - cached,
    "free some, give less with --ssd, or choose another disk with --data DIR",
  );
  if (memBytes + ssdBytes === 0)
    checkSpace(dataDir, SMALLEST_SSD_BYTES * workers, "free some, or choose another disk with --data DIR");
  const smaller =
    (wanted.memBytes === undefined && memBytes < DEFAULT_MEM_BYTES) ||
    (wanted.ssdBytes === undefined && ssdBytes < DEFAULT_SSD_BYTES);
  const note = smaller
    ? `Little space: each worker gets mem ${formatBytes(memBytes)} and ssd ${formatBytes(ssdBytes)} (--mem and --ssd say otherwise).`
    : undefined;
  return { memBytes, ssdBytes, note };
}
