/** `ringlight key ls`, `add`, `rm`, `rotate` and `policy`: access keys, sealed in the registry. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { defaultDataDir, readToken } from "@ringlight/config";
import { fileError, RinglightError } from "@ringlight/core";
import { SealedStore } from "@ringlight/registry";
import { type AccessKey, newAccessKeyId, newSecretAccessKey, parseAccessKey, parsePolicy } from "@ringlight/s3";
import { table } from "../format.ts";
import { readClusterFile } from "../up/cluster-file.ts";
import { print } from "./output.ts";

/** Options of every key command: where the registry is, and what opens its records. */
export interface KeyOptions {
  readonly json?: boolean;
  readonly data?: string;
  readonly registry?: string;
  readonly cluster?: string;
  readonly tokenFile?: string;
}

/** Opens the store: from options, or from the cluster of the data directory. @throws RL_NO_WORKERS, RL_BAD_CONFIG */
function openStore(options: KeyOptions): SealedStore {
  const dataDir = options.data === undefined ? defaultDataDir() : path.resolve(options.data);
  const file = options.registry === undefined ? readClusterFile(dataDir) : undefined;
  const registry = options.registry ?? file?.registry ?? "";
  const tokenFile = options.tokenFile ?? file?.tokenFile;
  const token = tokenFile === undefined ? process.env.RINGLIGHT_TOKEN : readToken(tokenFile);
  if (!token) {
    throw new RinglightError(
      "RL_BAD_CONFIG",
      "access keys are sealed with the cluster token: name its file with --token-file",
    );
  }
  return new SealedStore({
    endpoints: registry.split(",").map((endpoint) => endpoint.trim()),
    cluster: options.cluster ?? file?.cluster ?? "default",
    token,
    collection: "keys",
  });
}

async function withStore<T>(options: KeyOptions, use: (store: SealedStore) => Promise<T>): Promise<T> {
  const store = openStore(options);
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

function readPolicy(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw fileError("the policy file", file, error);
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `the policy file ${file} is no JSON (${(error as Error).message}); correct it there`,
      {
        cause: error,
      },
    );
  }
  parsePolicy(document);
  return document;
}

async function existing(
  store: SealedStore,
  id: string,
): Promise<{ readonly key: AccessKey; readonly revision: number }> {
  const record = await store.get(id);
  if (!record) {
    throw new RinglightError("RL_NOT_FOUND", `there is no access key "${id}"; \`ringlight key ls\` lists them`);
  }
  return { key: parseAccessKey(record.value), revision: record.revision };
}

/** Lists the keys, never their secrets. */
export async function keyList(options: KeyOptions): Promise<void> {
  await withStore(options, async (store) => {
    const keys = (await store.list()).map(({ value }) => parseAccessKey(value));
    const shown = keys.map(({ accessKeyId, username, policy, disabled }) => ({
      accessKeyId,
      user: username,
      policy: policy ?? null,
      disabled: disabled === true,
    }));
    print(options.json, { keys: shown }, () =>
      shown.length === 0
        ? "No access keys but the root key of the credentials file. ringlight key add --user name makes one."
        : table(
            ["KEY", "USER", "POLICY", "STATE"].map((title) => ({ title })),
            shown.map(({ accessKeyId, user, policy, disabled }) => [
              accessKeyId,
              user,
              policy === null ? "full access" : "own",
              disabled ? "disabled" : "active",
            ]),
          ),
    );
  });
}

/** Makes a key and prints its secret, once. */
export async function keyAdd(
  options: KeyOptions & { readonly user: string; readonly policy?: string; readonly id?: string },
): Promise<void> {
  const policy = options.policy === undefined ? undefined : readPolicy(options.policy);
  const key = parseAccessKey({
    accessKeyId: options.id ?? newAccessKeyId(),
    secretAccessKey: newSecretAccessKey(),
    username: options.user,
    policy,
  });
  await withStore(options, async (store) => {
    await store.put(key.accessKeyId, key, "create");
    print(
      options.json,
      { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey, user: key.username },
      () =>
        [
          `Access key: ${key.accessKeyId}`,
          `Secret key: ${key.secretAccessKey}`,
          "The secret is not shown again. Workers take the key within two seconds.",
        ].join("\n"),
    );
  });
}

/** Gives a key a new secret; the old one ends. */
export async function keyRotate(id: string, options: KeyOptions): Promise<void> {
  await withStore(options, async (store) => {
    const { key, revision } = await existing(store, id);
    const secretAccessKey = newSecretAccessKey();
    await store.put(id, { ...key, secretAccessKey }, { revision });
    print(
      options.json,
      { accessKeyId: id, secretAccessKey },
      () =>
        `New secret key of ${id}: ${secretAccessKey}\nThe old one ends within two seconds; the new one is not shown again.`,
    );
  });
}

/** Shows a key's policy, or replaces it, or takes it away. */
export async function keyPolicy(
  id: string,
  file: string | undefined,
  options: KeyOptions & { readonly fullAccess?: boolean },
): Promise<void> {
  const policy = file === undefined ? undefined : readPolicy(file);
  await withStore(options, async (store) => {
    const { key, revision } = await existing(store, id);
    const { policy: old, ...rest } = key;
    if (file === undefined && options.fullAccess !== true) {
      print(options.json, { accessKeyId: id, policy: old ?? null }, () =>
        old === undefined ? `${id} has full access.` : JSON.stringify(old, null, 2),
      );
      return;
    }
    await store.put(id, { ...rest, ...(policy !== undefined && { policy }) }, { revision });
    print(options.json, { accessKeyId: id, policy: policy ?? null }, () =>
      policy === undefined ? `${id} has full access now.` : `${id} has the policy of ${file} now.`,
    );
  });
}

/** Removes a key. */
export async function keyRemove(id: string, options: KeyOptions): Promise<void> {
  await withStore(options, async (store) => {
    if (!(await store.remove(id))) {
      throw new RinglightError("RL_NOT_FOUND", `there is no access key "${id}"; \`ringlight key ls\` lists them`);
    }
    print(options.json, { removed: id }, () => `Removed the access key ${id}. Workers forget it within two seconds.`);
  });
}
