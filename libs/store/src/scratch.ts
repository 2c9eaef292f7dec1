/** Directories for tests, removed when the test process ends. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ALLOCATION_BYTES } from "./page-file.ts";

const made: string[] = [];
process.on("exit", () => {
  for (const directory of made) fs.rmSync(directory, { recursive: true, force: true });
});

/** A fresh directory on disk. */
export function diskDirectory(): string {
  return make(tmpdir());
}

/** A fresh directory on tmpfs where the machine has one. */
export function memoryDirectory(): string {
  return make(fs.existsSync("/dev/shm") ? "/dev/shm" : tmpdir());
}

/** All files below a directory with their sizes; files that vanish meanwhile are left out. */
export function filesBelow(directory: string): { path: string; sizeBytes: number }[] {
  const files: { path: string; sizeBytes: number }[] = [];
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const stat = fs.statSync(path, { throwIfNoEntry: false });
    if (stat) files.push({ path, sizeBytes: stat.size });
  }
  return files;
}

/** Bytes that the page files and temporary files below a directory take, as the file system allocates them. */
export function bytesOnDisk(directory: string): number {
  return filesBelow(join(directory, "pages")).reduce(
    (sum, file) => sum + Math.ceil(file.sizeBytes / ALLOCATION_BYTES) * ALLOCATION_BYTES,
    0,
  );
}

/** Paths of the page files below a directory. */
export function pageFiles(directory: string): string[] {
  return filesBelow(join(directory, "pages")).map((file) => file.path);
}

function make(parent: string): string {
  const directory = fs.mkdtempSync(join(parent, "ringlight-store-test-"));
  made.push(directory);
  return directory;
}
