/**
 * Where the objects of a copy go. As with `aws s3 cp --recursive`: what lies below a path goes beneath the target; a single object
 * goes to the target itself, or beneath it where that ends with a slash or is a mount. Of a pattern everything behind the last
 * slash before its first special character is kept, of the lines of a manifest the whole key.
 */
import {
  type ClusterView,
  formatPath,
  globMatcher,
  globPrefix,
  isGlob,
  parsePath,
  plain,
  RinglightError,
} from "@ringlight/core";
import type { JobSpec } from "@ringlight/registry";

const bad = (message: string) => new RinglightError("RL_BAD_REQUEST", message);

/** The path that an object of one of the sources goes to. */
export function targetPath(
  { target, paths, manifestHash, manifestPath }: JobSpec,
  path: string,
  source: number,
): string {
  const { mount, key: base } = parsePath(target);
  const { key } = parsePath(path);
  const isManifest = manifestHash !== "" || manifestPath !== "";
  // The lines of a retry are objects that were found under one of the paths.
  const asked = isManifest ? paths.find((candidate) => covers(candidate, path)) : paths[source];
  const rest = asked === undefined ? key : below(parsePath(asked).key, key);
  if (rest !== undefined) return formatPath({ mount, key: directory(base) + rest });
  const isDirectory = base === "" || base.endsWith("/");
  return isDirectory ? formatPath({ mount, key: base + key.slice(key.lastIndexOf("/") + 1) }) : target;
}

/** Checks what a copy is asked to do. @throws RL_BAD_REQUEST, RL_NO_SUCH_MOUNT, RL_READ_ONLY */
export function checkTarget(kind: "copy" | "move", target: string, paths: readonly string[], view: ClusterView): void {
  if (target === "") throw bad(`${kind} needs a target: the path to go to`);
  const to = parsePath(target);
  const mount = view.mounts.get(to.mount);
  if (mount === undefined) throw new RinglightError("RL_NO_SUCH_MOUNT", `no mount is named "${to.mount}"`);
  const readOnly = (name: string) => new RinglightError("RL_READ_ONLY", `the mount "${name}" is read-only`);
  if (mount.readOnly) throw readOnly(to.mount);
  const place = `${mount.uri.replace(/\/+$/, "")}/${to.key}`;
  for (const path of paths) {
    const { mount: name, key } = parsePath(path);
    const from = view.mounts.get(name);
    if (from === undefined) continue;
    if (kind === "move" && from.readOnly) throw readOnly(name);
    const literal = isGlob(key) ? globPrefix(key) : plain(key);
    const tree = `${from.uri.replace(/\/+$/, "")}/${literal}`;
    const isBelow = directory(place).startsWith(directory(tree)) || (isGlob(key) && place.startsWith(tree));
    if (isBelow) throw bad(`the target ${target} lies within ${path}: it would find its own copies`);
  }
}

function covers(asked: string, path: string): boolean {
  const { mount, key: pattern } = parsePath(asked);
  const object = parsePath(path);
  if (mount !== object.mount) return false;
  if (isGlob(pattern)) return globMatcher(pattern)(object.key);
  const name = plain(pattern);
  return name === "" || name === object.key || object.key.startsWith(directory(name));
}

/** What of a key lies below the path that was asked for; undefined where it is that object itself. */
function below(asked: string, key: string): string | undefined {
  if (isGlob(asked)) {
    const prefix = globPrefix(asked);
    return key.slice(prefix.lastIndexOf("/") + 1);
  }
  const name = plain(asked);
  if (name === key && name !== "" && !name.endsWith("/")) return undefined;
  return key.slice(name === "" ? 0 : directory(name).length);
}

function directory(key: string): string {
  return key === "" || key.endsWith("/") ? key : `${key}/`;
}
