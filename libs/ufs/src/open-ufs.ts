/** The registry of UFS types: a URI's scheme chooses the one that opens it. */
import { RinglightError, type Ufs } from "@ringlight/core";
import { checkFileMount, openFileUfs } from "./file-ufs.ts";
import type { UfsMount, UfsOptions } from "./options.ts";
import { checkS3Mount, openS3Ufs } from "./s3-ufs.ts";

interface UfsType {
  /** Form of its URIs, for error texts. */
  readonly form: string;
  readonly check: (mount: UfsMount) => void;
  readonly open: (mount: UfsMount, options: UfsOptions) => Promise<Ufs>;
}

const TYPES: ReadonlyMap<string, UfsType> = new Map([
  ["s3", { form: "s3://bucket/prefix", check: checkS3Mount, open: openS3Ufs }],
  ["file", { form: "file:///directory", check: checkFileMount, open: openFileUfs }],
]);

/** Schemes of URIs that can be mounted. */
export const UFS_SCHEMES: readonly string[] = [...TYPES.keys()];

function typeOf(uri: string): UfsType {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(uri)?.[1]?.toLowerCase();
  const type = scheme === undefined ? undefined : TYPES.get(scheme);
  if (type !== undefined) return type;
  const forms = [...TYPES.values()].map(({ form }) => form).join(" or ");
  // Only the scheme is quoted: the rest of a URI of an unknown kind may hold a password.
  const what = scheme === undefined ? "the URI has no scheme" : `"${scheme}" is not a known kind of store`;
  throw new RinglightError("RL_BAD_REQUEST", `${what}; a mount's URI is ${forms}`);
}

/** Checks a mount's URI and options without touching the store. @throws RL_BAD_REQUEST naming what is wrong and what is known. */
export function checkMount(mount: Pick<UfsMount, "uri" | "options">): void {
  typeOf(mount.uri).check({ ...mount, credentials: { kind: "default" } });
}

/** Opens the UFS behind a mount. The store is not contacted before the first call. @throws RL_BAD_REQUEST as checkMount. */
export async function openUfs(mount: UfsMount, options: UfsOptions = {}): Promise<Ufs> {
  return typeOf(mount.uri).open(mount, options);
}
