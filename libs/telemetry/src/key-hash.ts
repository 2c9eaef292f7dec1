/** What stands for a path where the path itself must not stand. */
import { createHash } from "node:crypto";

/** 16 hex digits of the SHA-256 of a path ("/mount/key"): the attribute ringlight.key.hash. */
export function keyHash(path: string): string {
  return createHash("sha256").update(path).digest("hex").slice(0, 16);
}
