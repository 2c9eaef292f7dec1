/** Paths of the one namespace: `/mount/dir/key`. The mount is the first element, and is also the S3 bucket's name. */
import { RinglightError } from "./errors.ts";

/** A path taken apart. `key` is "" for the mount itself; it may contain and end with slashes, as S3 keys may. */
export interface MountPath {
  readonly mount: string;
  readonly key: string;
}

/** Bucket names as S3 defines them: 3 to 63 of lower-case letters, digits, dots and hyphens. */
const MOUNT_NAME = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;

/** Checks a mount's name. @throws RL_BAD_REQUEST naming the rule. */
export function checkMountName(name: string): string {
  if (!MOUNT_NAME.test(name) || name.includes("..")) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `"${name}" cannot name a mount: it is also an S3 bucket, so 3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit`,
    );
  }
  return name;
}

/** Takes "/mount/some/key" apart. @throws RL_BAD_REQUEST for anything that is not an absolute path. */
export function parsePath(path: string): MountPath {
  if (!path.startsWith("/") || path.length < 2) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `"${path}" is not a path; a path begins with a slash and a mount: /mount/key`,
    );
  }
  const slash = path.indexOf("/", 1);
  return slash === -1 ? { mount: path.slice(1), key: "" } : { mount: path.slice(1, slash), key: path.slice(slash + 1) };
}

/** Puts a path together again; the inverse of parsePath. */
export function formatPath(path: MountPath): string {
  return path.key === "" ? `/${path.mount}` : `/${path.mount}/${path.key}`;
}
