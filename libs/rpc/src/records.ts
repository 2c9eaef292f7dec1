/** Records of libs/core as messages of ringlight.v1, and back. */
import {
  type ClusterView,
  type CredentialsRef,
  checkMountName,
  DEFAULT_FRESHNESS,
  type Freshness,
  type MountRecord,
  type ObjectMeta,
  RinglightError,
} from "@ringlight/core";
import { type Cluster, Freshness_Kind, type Mount, type ObjectInfo } from "@ringlight/proto";

import { ruleToProto } from "./policy-records.ts";

/** An object as a message. */
export function objectToProto(path: string, meta: ObjectMeta): ObjectInfo {
  return {
    path,
    sizeBytes: meta.sizeBytes,
    version: meta.version,
    etag: meta.etag,
    modifiedUnixMs: Math.round(meta.modifiedMs),
    contentType: meta.contentType ?? "",
    userMetadata: { ...meta.userMetadata },
  };
}

/** A mount as a message. */
export function mountToProto(record: MountRecord): Mount {
  return {
    name: record.name,
    uri: record.uri,
    readOnly: record.readOnly,
    freshness: freshnessToProto(record.freshness),
    replicas: record.replicas,
    credentials: credentialsToText(record.credentials),
    options: { ...record.options },
    createdUnixMs: record.createdMs,
    access: record.access ?? "signed",
  };
}

/** A mount out of a message; what is left out takes its default. @throws RL_BAD_REQUEST naming the field */
export function mountFromProto(mount: Mount, nowMs: number): MountRecord {
  if (mount.uri === "")
    throw new RinglightError("RL_BAD_REQUEST", "uri is missing: s3://bucket/prefix or file:///directory");
  const replicas = mount.replicas === 0 ? 1 : mount.replicas;
  if (replicas > 3) throw new RinglightError("RL_BAD_REQUEST", `replicas is ${replicas}; 1 to 3 are supported`);
  return {
    name: checkMountName(mount.name),
    uri: mount.uri,
    readOnly: mount.readOnly,
    freshness: freshnessFromProto(mount.freshness),
    replicas,
    credentials: credentialsFromText(mount.credentials),
    ...accessFromText(mount.access),
    options: { ...mount.options },
    createdMs: nowMs,
  };
}

function accessFromText(text: string): Pick<MountRecord, "access"> {
  if (text === "" || text === "signed") return {};
  if (text === "anonymous-read") return { access: text };
  throw new RinglightError("RL_BAD_REQUEST", `access is "${text}"; it is signed or anonymous-read`);
}

/** The cluster's view as a message. */
export function clusterToProto(view: ClusterView, pageBytes: number, segmentBytes: number): Cluster {
  return {
    name: view.cluster,
    epoch: view.epoch,
    members: view.members.map(({ id, weight, joinedMs }) => ({ id, weight, joinedUnixMs: joinedMs })),
    workers: [...view.workers.values()].map((worker) => ({
      id: worker.id,
      grpcAddress: worker.addresses.grpc,
      s3Address: worker.addresses.s3,
      restAddress: worker.addresses.rest,
      weight: worker.weight,
      version: worker.version,
      startedUnixMs: worker.startedMs,
      hostname: worker.hostname,
      pid: worker.pid,
    })),
    mounts: [...view.mounts.values()].map(mountToProto),
    schedulers: [...view.schedulers.values()].map(({ startedMs, ...scheduler }) => ({
      ...scheduler,
      startedUnixMs: startedMs,
    })),
    leader: view.leader ?? "",
    registryConnected: view.connected,
    asOfUnixMs: view.asOfMs,
    pageBytes,
    segmentBytes,
    policies: view.policies.map(ruleToProto),
  };
}

function freshnessToProto(freshness: Freshness): Mount["freshness"] {
  switch (freshness.kind) {
    case "immutable":
      return { kind: Freshness_Kind.KIND_IMMUTABLE, ttlMs: 0 };
    case "strict":
      return { kind: Freshness_Kind.KIND_STRICT, ttlMs: 0 };
    case "ttl":
      return { kind: Freshness_Kind.KIND_TTL, ttlMs: freshness.ttlMs };
  }
}

function freshnessFromProto(freshness: Mount["freshness"]): Freshness {
  switch (freshness?.kind) {
    case Freshness_Kind.KIND_IMMUTABLE:
      return { kind: "immutable" };
    case Freshness_Kind.KIND_STRICT:
      return { kind: "strict" };
    case Freshness_Kind.KIND_TTL:
      if (freshness.ttlMs <= 0)
        throw new RinglightError(
          "RL_BAD_REQUEST",
          "freshness ttl must be longer than 0; use strict to ask the store each time",
        );
      return { kind: "ttl", ttlMs: freshness.ttlMs };
    default:
      return DEFAULT_FRESHNESS;
  }
}

function credentialsToText(ref: CredentialsRef): string {
  switch (ref.kind) {
    case "default":
    case "anonymous":
      return ref.kind;
    case "env":
      return `env:${ref.prefix}`;
    case "profile":
      return `profile:${ref.name}`;
    case "file":
      return `file:${ref.path}`;
  }
}

function credentialsFromText(text: string): CredentialsRef {
  const colon = text.indexOf(":");
  const value = text.slice(colon + 1);
  if (text === "" || text === "default") return { kind: "default" };
  if (text === "anonymous") return { kind: "anonymous" };
  if (colon > 0 && value !== "") {
    if (text.startsWith("env:")) return { kind: "env", prefix: value };
    if (text.startsWith("profile:")) return { kind: "profile", name: value };
    if (text.startsWith("file:")) return { kind: "file", path: value };
  }
  throw new RinglightError(
    "RL_BAD_REQUEST",
    "credentials must be a reference: default, anonymous, env:PREFIX, profile:NAME or file:PATH; never the secret itself",
  );
}
