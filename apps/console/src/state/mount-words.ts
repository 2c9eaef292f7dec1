/** Mounts in words: as people read them, and as the command line takes them. */
import { type CredentialsRef, type Freshness, formatDuration, type MountRecord } from "@ringlight/core";
import { shellWord } from "./shell-word.ts";

/** A mount as the form holds it; the same fields go to POST /api/mounts. */
export interface MountDraft {
  readonly name: string;
  readonly uri: string;
  readonly endpoint: string;
  readonly region: string;
  readonly addressing: string;
  readonly credentials: string;
  readonly freshness: string;
  readonly replicas: number;
  readonly readOnly: boolean;
  /** Whether everybody may read over S3, or only who signs. */
  readonly anonymousRead: boolean;
}

/** What the form begins with: the defaults of `ringlight mount add`. */
export const EMPTY_DRAFT: MountDraft = {
  name: "",
  uri: "",
  endpoint: "",
  region: "",
  addressing: "",
  credentials: "default",
  freshness: "ttl:60s",
  replicas: 1,
  readOnly: false,
  anonymousRead: false,
};

/** A freshness, for people. */
export function freshnessWords(freshness: Freshness): string {
  return freshness.kind === "ttl" ? `ttl ${formatDuration(freshness.ttlMs)}` : freshness.kind;
}

/** Who may do what with a mount, for people. */
export function accessWords({ readOnly, access }: Pick<MountRecord, "readOnly" | "access">): string {
  return `${readOnly ? "read-only" : "read and write"}${access === "anonymous-read" ? ", anyone may read" : ""}`;
}

/** A reference to credentials as it is written; it holds no secret. */
export function credentialsWords(credentials: CredentialsRef): string {
  switch (credentials.kind) {
    case "env":
      return `env:${credentials.prefix}`;
    case "profile":
      return `profile:${credentials.name}`;
    case "file":
      return `file:${credentials.path}`;
    default:
      return credentials.kind;
  }
}

/** The command that adds the mount; only what differs from the defaults is written. */
export function addCommand(draft: MountDraft): string {
  const options = (["endpoint", "region", "addressing", "credentials", "freshness"] as const)
    .filter((name) => draft[name] !== "" && draft[name] !== EMPTY_DRAFT[name])
    .map((name) => `--option ${shellWord(`${name}=${draft[name]}`)}`);
  if (draft.replicas !== EMPTY_DRAFT.replicas) options.push(`--option replicas=${draft.replicas}`);
  if (draft.anonymousRead) options.push("--option access=anonymous-read");
  if (draft.readOnly) options.push("--option read-only");
  const words = [shellWord(`/${draft.name || "name"}`), shellWord(draft.uri || "s3://bucket/prefix"), ...options];
  return `ringlight mount add ${words.join(" ")}`;
}

/** What is wrong with a draft before anybody is asked, by field. */
export function draftErrors(draft: MountDraft): Partial<Record<keyof MountDraft, string>> {
  const errors: Partial<Record<keyof MountDraft, string>> = {};
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(draft.name) || draft.name.includes("..")) {
    errors.name = "3 to 63 lower-case letters, digits, dots and hyphens; it is also the S3 bucket's name";
  }
  if (!/^(s3:\/\/[^/]+|file:\/\/\/)/.test(draft.uri)) errors.uri = "Write s3://bucket/prefix or file:///directory";
  if (draft.endpoint && !/^https?:\/\/[^/\s@]+\/?$/.test(draft.endpoint)) {
    errors.endpoint = "Write http://host:port or https://host";
  }
  if (!/^(default|anonymous|env:[A-Za-z_]\w*|profile:[^\s:]+|file:\/.+)$/.test(draft.credentials)) {
    errors.credentials = "Write default, anonymous, env:PREFIX, profile:NAME or file:/path; never a key itself";
  }
  if (!/^(immutable|strict|ttl[:=]\d+(\.\d+)?(ms|s|m|h|d))$/.test(draft.freshness)) {
    errors.freshness = "Write immutable, strict, or ttl:60s";
  }
  if (!Number.isInteger(draft.replicas) || draft.replicas < 1 || draft.replicas > 10) {
    errors.replicas = "A whole number from 1 to 10";
  }
  return errors;
}
