/** The access keys of a cluster as the S3 door asks for them: by id, with what their policies allow. */
import type { Credentials } from "@ringlight/sigv4";
import type { Permits } from "./actions.ts";
import { type Policy, parsePolicy, resourceName } from "./policy-document.ts";

/** A key as it is kept. */
export interface AccessKey extends Credentials {
  /** Name of its user: ${aws:username}. */
  readonly username: string;
  /** IAM's JSON; absent: everything is allowed. */
  readonly policy?: unknown;
  readonly disabled?: boolean;
}

interface Held {
  readonly key: AccessKey;
  /** Undefined: everything is allowed. */
  readonly policy: Policy | undefined;
}

const CONDITIONS = ["prefix", "delimiter", "max-keys"];

/**
 * The keys in use. Replacing one takes effect with the next request; requests on their way go on. `root` finds the keys of
 * the credentials file, which may do everything and which no record can replace.
 */
export class KeyRing {
  readonly #root: (accessKeyId: string) => Credentials | undefined;
  #held: ReadonlyMap<string, Held> = new Map();

  constructor(root: (accessKeyId: string) => Credentials | undefined) {
    this.#root = root;
  }

  /** Replaces all keys but the root's. A key whose policy cannot be read may do nothing; `onBad` is told. */
  replaceAll(keys: Iterable<AccessKey>, onBad: (accessKeyId: string, error: unknown) => void): void {
    const held = new Map<string, Held>();
    for (const key of keys) {
      try {
        held.set(key.accessKeyId, { key, policy: key.policy === undefined ? undefined : parsePolicy(key.policy) });
      } catch (error) {
        held.set(key.accessKeyId, { key, policy: { allows: () => false } });
        onBad(key.accessKeyId, error);
      }
    }
    this.#held = held;
  }

  /** The pair of an access key id; undefined when there is none, or it is disabled. */
  readonly lookup = (accessKeyId: string): Credentials | undefined => {
    const root = this.#root(accessKeyId);
    if (root) return root;
    const held = this.#held.get(accessKeyId);
    return held === undefined || held.key.disabled === true ? undefined : held.key;
  };

  /** Whether the policy of a key allows an action. A key that went since it was proved may do nothing. */
  readonly permits: Permits = (accessKeyId, action, bucket, key, query) => {
    if (this.#root(accessKeyId)) return true;
    const held = this.#held.get(accessKeyId);
    if (held === undefined || held.key.disabled === true) return false;
    if (held.policy === undefined) return true;
    const conditions = new Map<string, string>();
    // Only listings have these; a prefix of nothing is one too.
    if (key === "" && action.startsWith("s3:List")) {
      for (const name of CONDITIONS) {
        const value = query.get(name);
        if (value !== undefined) conditions.set(`s3:${name}`, value);
      }
      if (!conditions.has("s3:prefix")) conditions.set("s3:prefix", "");
    }
    return held.policy.allows({ action, resource: resourceName(bucket, key), username: held.key.username, conditions });
  };
}
