/** Mounts between the console's JSON, the protocol and the registry's record. */
import { checkMountName, type Freshness, parseDuration, RinglightError } from "@ringlight/core";
import { Freshness_Kind, Mount } from "@ringlight/proto";

/** A mount as the form sends it. */
export interface MountForm {
  readonly name: string;
  readonly uri: string;
  readonly endpoint: string;
  readonly region: string;
  readonly addressing: string;
  /** "default", "anonymous", "env:PREFIX", "profile:NAME" or "file:PATH". */
  readonly credentials: string;
  /** "immutable", "strict" or "ttl:60s". */
  readonly freshness: string;
  readonly replicas: number;
  readonly readOnly: boolean;
  readonly anonymousRead: boolean;
}

const CREDENTIALS = /^(default|anonymous|env:[A-Za-z_][A-Za-z0-9_]*|profile:[^\s:]+|file:\/.+)$/;

/** Reads the form out of JSON that came from outside. @throws RL_BAD_REQUEST naming the field. */
export function parseMountForm(body: unknown): MountForm {
  if (typeof body !== "object" || body === null)
    throw new RinglightError("RL_BAD_REQUEST", "the body is not an object");
  const fields = body as Record<string, unknown>;
  const text = (name: string, fallback = ""): string => {
    const value = fields[name] ?? fallback;
    if (typeof value !== "string") throw new RinglightError("RL_BAD_REQUEST", `${name}: not a text`);
    return value.trim();
  };
  const replicas = fields.replicas ?? 1;
  if (typeof replicas !== "number" || !Number.isInteger(replicas) || replicas < 1 || replicas > 10) {
    throw new RinglightError("RL_BAD_REQUEST", "replicas: a whole number from 1 to 10");
  }
  const form: MountForm = {
    name: checkMountName(text("name").replace(/^\//, "")),
    uri: text("uri"),
    endpoint: text("endpoint"),
    region: text("region"),
    addressing: text("addressing"),
    credentials: text("credentials", "default") || "default",
    freshness: text("freshness", "ttl:60s") || "ttl:60s",
    replicas,
    readOnly: fields.readOnly === true,
    anonymousRead: fields.anonymousRead === true,
  };
  if (!/^(s3:\/\/[^/]+|file:\/\/\/)/.test(form.uri)) {
    throw new RinglightError("RL_BAD_REQUEST", "uri: write s3://bucket/prefix or file:///directory");
  }
  if (!CREDENTIALS.test(form.credentials)) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      "credentials: write default, anonymous, env:PREFIX, profile:NAME or file:/path; a reference, never a key itself",
    );
  }
  if (form.endpoint && !/^https?:\/\/[^/\s@]+\/?$/.test(form.endpoint)) {
    throw new RinglightError("RL_BAD_REQUEST", "endpoint: write http://host:port or https://host, with no key in it");
  }
  if (!["", "path", "virtual"].includes(form.addressing)) {
    throw new RinglightError("RL_BAD_REQUEST", "addressing: path or virtual");
  }
  parseFreshness(form.freshness);
  return form;
}

/** Reads "immutable", "strict" or "ttl:60s". @throws RL_BAD_REQUEST */
function parseFreshness(text: string): Freshness {
  if (text === "immutable") return { kind: "immutable" };
  if (text === "strict") return { kind: "strict" };
  const ttl = /^ttl[:=](.+)$/.exec(text)?.[1];
  if (ttl === undefined) throw new RinglightError("RL_BAD_REQUEST", "freshness: immutable, strict or ttl:60s");
  return { kind: "ttl", ttlMs: parseDuration(ttl) };
}

/** The protocol's mount for a form. */
export function mountOfForm(form: MountForm): Mount {
  const freshness = parseFreshness(form.freshness);
  const options: Record<string, string> = {};
  for (const name of ["endpoint", "region", "addressing"] as const) if (form[name]) options[name] = form[name];
  return Mount.create({
    name: form.name,
    uri: form.uri,
    readOnly: form.readOnly,
    access: form.anonymousRead ? "anonymous-read" : "signed",
    replicas: form.replicas,
    credentials: form.credentials,
    options,
    freshness: {
      kind: {
        immutable: Freshness_Kind.KIND_IMMUTABLE,
        ttl: Freshness_Kind.KIND_TTL,
        strict: Freshness_Kind.KIND_STRICT,
      }[freshness.kind],
      ttlMs: freshness.kind === "ttl" ? freshness.ttlMs : 0,
    },
  });
}
