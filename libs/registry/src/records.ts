/**
 * The edge: JSON of the registry turned into records, or refused with a reason. Fields that are not known are dropped, so
 * that a newer participant can add some.
 */
import type {
  CopyUpload,
  CredentialsRef,
  EpochRecord,
  Freshness,
  MemberRecord,
  MountRecord,
  PolicyRule,
  SchedulerRecord,
  UploadsNote,
  WorkerRecord,
} from "@ringlight/core";
import { formatField, readPolicyRules, writtenRule } from "@ringlight/core";

/** Identity of a cluster's data. */
export interface IdentityRecord {
  readonly id: string;
  readonly createdMs: number;
  /** Present when a participant restored the data after a loss. */
  readonly restored?: RestoredNote;
}

/** How a restoration came about. */
export interface RestoredNote {
  readonly atMs: number;
  /** What the restorer knew: the lost data's incarnation, and its revision when it last saw it. */
  readonly incarnation: number;
  readonly revision: number;
  /** For so long after `atMs` a leader of the lost data may believe in its lease. */
  readonly fenceMs: number;
}

/** The ring's current epoch, and how often the data was restored. */
export interface RingCurrent {
  readonly epoch: number;
  readonly incarnation: number;
}

/** A candidate for the leadership of the schedulers. */
export interface CandidateRecord {
  readonly id: string;
  readonly ttlMs: number;
}

/** All rules by path; in the registry as people write them. */
export interface PoliciesRecord {
  readonly rules: readonly PolicyRule[];
}

/** The record's JSON. */
export function writtenPolicies(rules: readonly PolicyRule[]): { readonly rules: readonly object[] } {
  return { rules: rules.map(writtenRule) };
}

/** Thrown for JSON that is not the record it should be; the message says why. */
export class MalformedRecord extends Error {}

type Fields = Readonly<Record<string, unknown>>;

/** Parses JSON text with a parser of this file. @throws MalformedRecord */
export function parseRecord<T>(text: string, parse: (fields: Fields) => T): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedRecord("it is not JSON");
  }
  return parse(fieldsOf(value, "it"));
}

/** Like parseRecord, with undefined for what is absent or malformed. */
export function tryParseRecord<T>(text: string | undefined, parse: (fields: Fields) => T): T | undefined {
  if (text === undefined) return undefined;
  try {
    return parseRecord(text, parse);
  } catch (error) {
    if (error instanceof MalformedRecord) return undefined;
    throw error;
  }
}

export function parseWorker(fields: Fields): WorkerRecord {
  const addresses = fieldsOf(fields.addresses, "addresses");
  return {
    id: text(fields, "id"),
    addresses: { grpc: text(addresses, "grpc"), s3: text(addresses, "s3"), rest: text(addresses, "rest") },
    weight: weightOf(fields),
    version: text(fields, "version"),
    startedMs: number(fields, "startedMs"),
    hostname: text(fields, "hostname"),
    pid: number(fields, "pid"),
  };
}

export function parseMember(fields: Fields): MemberRecord {
  return { id: text(fields, "id"), weight: weightOf(fields), joinedMs: number(fields, "joinedMs") };
}

export function parseScheduler(fields: Fields): SchedulerRecord {
  return {
    id: text(fields, "id"),
    address: text(fields, "address"),
    version: text(fields, "version"),
    startedMs: number(fields, "startedMs"),
  };
}

export function parseMount(fields: Fields): MountRecord {
  const options: Record<string, string> = {};
  for (const name of Object.keys(fieldsOf(fields.options, "options"))) {
    options[name] = text(fieldsOf(fields.options, "options"), name);
  }
  if (typeof fields.readOnly !== "boolean") throw new MalformedRecord("readOnly is not a boolean");
  return {
    name: text(fields, "name"),
    uri: text(fields, "uri"),
    readOnly: fields.readOnly,
    freshness: freshnessOf(fieldsOf(fields.freshness, "freshness")),
    replicas: number(fields, "replicas"),
    credentials: credentialsOf(fieldsOf(fields.credentials, "credentials")),
    // What is not known here, of a later release perhaps, lets nobody in.
    ...(fields.access === "anonymous-read" && { access: fields.access }),
    options,
    createdMs: number(fields, "createdMs"),
  };
}

/** The rules by path; one that a later release wrote and this one does not know makes them all malformed, so that none is half kept. */
export function parsePolicies(fields: Fields): PoliciesRecord {
  const { rules, problems } = readPolicyRules({ rules: fields.rules });
  const [first] = problems;
  if (first !== undefined) throw new MalformedRecord(`${formatField(first.at)}${first.message}`);
  return { rules };
}

export function parseEpoch(fields: Fields): EpochRecord {
  return {
    epoch: count(fields, "epoch"),
    members: list(fields, "members").map((member) => parseMember(fieldsOf(member, "members"))),
    atMs: number(fields, "atMs"),
    cause: text(fields, "cause"),
  };
}

export function parseUploads(fields: Fields): UploadsNote {
  return {
    workerId: text(fields, "workerId"),
    writtenMs: number(fields, "writtenMs"),
    uploads: list(fields, "uploads").map((upload) => uploadOf(fieldsOf(upload, "uploads"))),
  };
}

function uploadOf(fields: Fields): CopyUpload {
  return {
    source: text(fields, "source"),
    sourceUri: text(fields, "sourceUri"),
    version: text(fields, "version"),
    sizeBytes: count(fields, "sizeBytes"),
    target: text(fields, "target"),
    targetUri: text(fields, "targetUri"),
    partBytes: count(fields, "partBytes"),
    uploadId: text(fields, "uploadId"),
  };
}

export function parseRingCurrent(fields: Fields): RingCurrent {
  return { epoch: count(fields, "epoch"), incarnation: count(fields, "incarnation") };
}

export function parseCandidate(fields: Fields): CandidateRecord {
  return { id: text(fields, "id"), ttlMs: number(fields, "ttlMs") };
}

export function parseIdentity(fields: Fields): IdentityRecord {
  const identity = { id: text(fields, "id"), createdMs: number(fields, "createdMs") };
  if (fields.restored === undefined) return identity;
  const restored = fieldsOf(fields.restored, "restored");
  return {
    ...identity,
    restored: {
      atMs: number(restored, "atMs"),
      incarnation: count(restored, "incarnation"),
      revision: count(restored, "revision"),
      fenceMs: number(restored, "fenceMs"),
    },
  };
}

/** A list field. @throws MalformedRecord */
export function list(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new MalformedRecord(`${name} is not a list`);
  return value;
}

/** An object. @throws MalformedRecord */
export function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new MalformedRecord(`${what} is not an object`);
  }
  return value as Fields;
}

/** A finite number. @throws MalformedRecord */
export function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== "number" || !Number.isFinite(value)) throw new MalformedRecord(`${name} is not a number`);
  return value;
}

/** A whole number from 0 on. @throws MalformedRecord */
export function count(fields: Fields, name: string): number {
  const value = number(fields, name);
  if (!Number.isSafeInteger(value) || value < 0) throw new MalformedRecord(`${name} is not a count`);
  return value;
}

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== "string") throw new MalformedRecord(`${name} is not a string`);
  return value;
}

function weightOf(fields: Fields): number {
  const weight = number(fields, "weight");
  if (weight <= 0) throw new MalformedRecord("weight is not positive");
  return weight;
}

function freshnessOf(fields: Fields): Freshness {
  const kind = text(fields, "kind");
  if (kind === "immutable" || kind === "strict") return { kind };
  if (kind === "ttl") return { kind, ttlMs: number(fields, "ttlMs") };
  throw new MalformedRecord(`freshness "${kind}" is not known`);
}

function credentialsOf(fields: Fields): CredentialsRef {
  const kind = text(fields, "kind");
  switch (kind) {
    case "default":
    case "anonymous":
      return { kind };
    case "env":
      return { kind, prefix: text(fields, "prefix") };
    case "profile":
      return { kind, name: text(fields, "name") };
    case "file":
      return { kind, path: text(fields, "path") };
    default:
      throw new MalformedRecord(`credentials "${kind}" are not known`);
  }
}
