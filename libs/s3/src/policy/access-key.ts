/** Access keys as records: what the registry keeps sealed. */
import { randomBytes } from "node:crypto";
import { RinglightError } from "@ringlight/core";
import type { AccessKey } from "./key-ring.ts";
import { parsePolicy } from "./policy-document.ts";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const USERNAME = /^[\w+=,.@-]{1,64}$/;
const ID = /^[A-Za-z0-9]{3,128}$/;

/** A new access key id: "RL" and 18 letters and digits. */
export function newAccessKeyId(): string {
  return `RL${Array.from(randomBytes(18), (byte) => ALPHABET[byte & 31]).join("")}`;
}

/** A new secret: 40 characters. */
export function newSecretAccessKey(): string {
  return randomBytes(30).toString("base64url");
}

/** Reads a key's record. @throws RL_BAD_REQUEST naming what is wrong, never the secret */
export function parseAccessKey(value: unknown): AccessKey {
  const bad = (what: string) => new RinglightError("RL_BAD_REQUEST", `the access key's ${what}`);
  if (typeof value !== "object" || value === null) throw bad("record is no object");
  const { accessKeyId, secretAccessKey, username, policy, disabled } = value as Readonly<Record<string, unknown>>;
  if (typeof accessKeyId !== "string" || !ID.test(accessKeyId)) throw bad("id must be 3 to 128 letters and digits");
  if (typeof secretAccessKey !== "string" || secretAccessKey.length < 8)
    throw bad("secret must have 8 characters or more");
  if (typeof username !== "string" || !USERNAME.test(username)) {
    throw bad("user must be 1 to 64 letters, digits and _+=,.@-");
  }
  if (policy !== undefined) parsePolicy(policy);
  return {
    accessKeyId,
    secretAccessKey,
    username,
    ...(policy !== undefined && { policy }),
    ...(disabled === true && { disabled: true }),
  };
}
