/** Names of object versions in the page store. */
import { hash } from "node:crypto";
import type { VersionId } from "@ringlight/core";

/**
 * The identity of an object version: 128 bits of SHA-256 over mount, key and version token, as 32 lower-case hex digits.
 * Each field but the last is preceded by its length, so that no two different triples hash the same text.
 */
export function versionId(mount: string, key: string, versionToken: string): VersionId {
  return hash("sha256", `${mount.length}:${mount}${key.length}:${key}${versionToken}`, "hex").slice(0, 32);
}
