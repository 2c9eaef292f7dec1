/** What stands for a path where the path itself must not stand. */
import { hash } from "node:crypto";

/** 16 hex digits of the SHA-256 of a path ("/mount/key"): the attribute ringlight.key.hash. */
export function keyHash(path: string): string {
  return hash("sha256", path, "hex").slice(0, 16);
}
