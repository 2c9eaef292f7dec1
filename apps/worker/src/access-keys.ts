/** The access keys that this worker takes: those of the credentials file, and the sealed ones of the registry. */
import type { SealedStore } from "@ringlight/registry";
import { KeyRing, parseAccessKey } from "@ringlight/s3";
import type { Credentials } from "@ringlight/sigv4";

/** Where the keys come from. */
export interface AccessKeysOptions {
  /** Finds the root keys, which may do everything. */
  readonly root: (accessKeyId: string) => Credentials | undefined;
  /** Absent: the root keys are all there are. */
  readonly store: SealedStore | undefined;
  readonly warn: (message: string, fields: Record<string, unknown>) => void;
}

/**
 * Makes the ring of keys, and keeps it as the registry has them: a key that is added, rotated or removed counts within two
 * seconds, without a restart. While the registry is away the last known keys go on. The caller closes the store.
 */
export async function followAccessKeys(options: AccessKeysOptions): Promise<KeyRing> {
  const { root, store, warn } = options;
  const ring = new KeyRing(root);
  await store?.follow((records) => {
    const keys = records.flatMap(({ id, value }) => {
      try {
        return [parseAccessKey(value)];
      } catch (error) {
        warn("an access key is not usable", { key: id, error: String(error) });
        return [];
      }
    });
    ring.replaceAll(keys, (key, error) =>
      warn("the policy of an access key is not usable", { key, error: String(error) }),
    );
  });
  return ring;
}
