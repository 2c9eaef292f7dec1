/** Access keys of S3 clients, as the console manages them: the registry keeps them sealed, and no secret is read back. */
import { RinglightError } from "@ringlight/core";
import type { SealedStore } from "@ringlight/registry";
import {
  type AccessKey,
  newAccessKeyId,
  newSecretAccessKey,
  parseAccessKey,
  parsePolicy,
} from "@ringlight/s3/access-keys";
import type { AccessKeyView, NewSecretView } from "../wire.ts";
import { runningConsole } from "./console.ts";

/** The store of the keys. @throws RL_BAD_CONFIG when the cluster has no token to seal them with */
async function keyStore(): Promise<SealedStore> {
  const { keys } = await runningConsole();
  if (keys === undefined) {
    throw new RinglightError(
      "RL_BAD_CONFIG",
      "access keys are sealed with the cluster token, and this console was started without one (tokenFile)",
    );
  }
  return keys;
}

/** The keys, without their secrets. */
export async function listKeys(): Promise<AccessKeyView[]> {
  const records = await (await keyStore()).list();
  return records.map(({ value }) => viewOf(parseAccessKey(value)));
}

/** A change of the keys, as it came from outside. */
export interface KeyChange {
  readonly action: "add" | "rotate" | "policy" | "enable" | "disable" | "remove";
  /** The key; the user of a new one. */
  readonly name: string;
  /** The policy as text; empty for full access. */
  readonly policy: string;
}

const ACTIONS = ["add", "rotate", "policy", "enable", "disable", "remove"];

/** Reads a change out of JSON that came from outside. @throws RL_BAD_REQUEST naming the field */
export function parseKeyChange(body: unknown): KeyChange {
  const { action, name, policy = "" } = (body ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof action !== "string" || !ACTIONS.includes(action)) {
    throw new RinglightError("RL_BAD_REQUEST", `action: one of ${ACTIONS.join(", ")}`);
  }
  if (typeof name !== "string" || name.trim() === "") throw new RinglightError("RL_BAD_REQUEST", "name: not a text");
  if (typeof policy !== "string") throw new RinglightError("RL_BAD_REQUEST", "policy: not a text");
  return { action: action as KeyChange["action"], name: name.trim(), policy: policy.trim() };
}

/** The policy of a text. @throws RL_BAD_REQUEST naming what is wrong with it */
function policyOf(text: string): { policy?: unknown } {
  if (text === "") return {};
  let policy: unknown;
  try {
    policy = JSON.parse(text);
  } catch (error) {
    throw new RinglightError("RL_BAD_REQUEST", `policy: no JSON: ${String(error)}`, { cause: error });
  }
  parsePolicy(policy);
  return { policy };
}

/** Makes a change. A new secret is told once, here. @throws RL_NOT_FOUND, RL_CONFLICT, RL_BAD_REQUEST, RL_REGISTRY_UNAVAILABLE */
export async function changeKey({ action, name, policy }: KeyChange): Promise<NewSecretView | undefined> {
  const store = await keyStore();
  if (action === "add") {
    const key = parseAccessKey({
      accessKeyId: newAccessKeyId(),
      secretAccessKey: newSecretAccessKey(),
      username: name,
      ...policyOf(policy),
    });
    await store.put(key.accessKeyId, key, "create");
    return { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey };
  }
  if (action === "remove") {
    if (!(await store.remove(name))) throw noSuchKey(name);
    return undefined;
  }
  const record = await store.get(name);
  if (record === undefined) throw noSuchKey(name);
  const key = parseAccessKey(record.value);
  const { disabled: _, policy: old, ...rest } = key;
  const kept = { ...rest, ...(old !== undefined && { policy: old }), ...(key.disabled === true && { disabled: true }) };
  if (action === "rotate") {
    const secretAccessKey = newSecretAccessKey();
    await store.put(name, { ...kept, secretAccessKey }, { revision: record.revision });
    return { accessKeyId: name, secretAccessKey };
  }
  const changed: Record<typeof action, unknown> = {
    policy: { ...rest, ...policyOf(policy), ...(key.disabled === true && { disabled: true }) },
    enable: { ...rest, ...(old !== undefined && { policy: old }) },
    disable: { ...kept, disabled: true },
  };
  await store.put(name, changed[action], { revision: record.revision });
  return undefined;
}

function noSuchKey(name: string): RinglightError {
  return new RinglightError("RL_NOT_FOUND", `there is no access key "${name}"; somebody may have removed it`);
}

function viewOf({ accessKeyId, username, policy, disabled }: AccessKey): AccessKeyView {
  return {
    accessKeyId,
    user: username,
    policy: policy === undefined ? "" : JSON.stringify(policy, null, 2),
    disabled: disabled === true,
  };
}
