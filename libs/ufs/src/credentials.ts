/** Credentials by reference. What they resolve to stays in this process's memory and appears in no error, URI or log. */
import { readFile, stat } from "node:fs/promises";
import { type CredentialsRef, RinglightError } from "@ringlight/core";
import type { Credentials } from "@ringlight/sigv4";

/** Where the credentials of a mount come from while it is open. */
export interface CredentialsSource {
  /** What the reference says, for error texts: `profile "etl"`. */
  readonly description: string;
  /** The pair to sign with now; undefined for anonymous access. @throws RL_BAD_CONFIG or RL_UFS_DENIED naming the remedy. */
  get(): Promise<Credentials | undefined>;
  /** Forgets what is cached, after the store refused it. */
  forget(): void;
}

type Env = Readonly<Record<string, string | undefined>>;

interface Expiring {
  readonly credentials: Credentials;
  /** Milliseconds since the Unix epoch. */
  readonly untilMs: number;
}

/** Temporary credentials are renewed this long before they end. */
const RENEW_BEFORE_MS = 5 * 60_000;
/** A credentials file and the environment's pair are looked at again this often. */
const REREAD_MS = 60_000;

/** Resolves a reference to a source. Nothing is read before the first get(). */
export function resolveCredentials(ref: CredentialsRef, env: Env = process.env): CredentialsSource {
  switch (ref.kind) {
    case "anonymous":
      return { description: "anonymous access", get: async () => undefined, forget: () => undefined };
    case "env":
      return cached(`environment variables ${ref.prefix}_…`, async () => fromEnvironment(ref.prefix, env));
    case "file":
      return cached(`file ${ref.path}`, () => fromFile(ref.path));
    case "profile":
      return cached(`profile "${ref.name}"`, async () => {
        const { fromIni } = await import("@aws-sdk/credential-providers");
        return fromProvider(`profile "${ref.name}"`, fromIni({ profile: ref.name }));
      });
    case "default":
      return cached("the default credentials", async () => {
        if (env.AWS_ACCESS_KEY_ID && env.AWS_SECRET_ACCESS_KEY) return fromEnvironment("AWS", env);
        const { fromNodeProviderChain } = await import("@aws-sdk/credential-providers");
        return fromProvider("the default credentials", fromNodeProviderChain());
      });
  }
}

function cached(description: string, load: () => Promise<Expiring>): CredentialsSource {
  let loading: Promise<Expiring> | undefined;
  let current: Expiring | undefined;
  return {
    description,
    get: async () => {
      if (current !== undefined && Date.now() < current.untilMs) return current.credentials;
      loading ??= load().finally(() => {
        loading = undefined;
      });
      current = await loading;
      return current.credentials;
    },
    forget: () => {
      current = undefined;
    },
  };
}

function fromEnvironment(prefix: string, env: Env): Expiring {
  const accessKeyId = env[`${prefix}_ACCESS_KEY_ID`];
  const secretAccessKey = env[`${prefix}_SECRET_ACCESS_KEY`];
  const sessionToken = env[`${prefix}_SESSION_TOKEN`];
  if (!accessKeyId || !secretAccessKey) {
    const names = `${prefix}_ACCESS_KEY_ID and ${prefix}_SECRET_ACCESS_KEY`;
    throw new RinglightError(
      "RL_BAD_CONFIG",
      `the mount's credentials are to come from ${names}; set both for this process`,
    );
  }
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
  return { credentials, untilMs: Date.now() + REREAD_MS };
}

async function fromFile(path: string): Promise<Expiring> {
  const bad = (what: string) => new RinglightError("RL_BAD_CONFIG", `credentials file ${path} ${what}`);
  let text: string;
  try {
    if (((await stat(path)).mode & 0o077) !== 0) throw bad("may be read by others than its owner; chmod 600 it");
    text = await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof RinglightError) throw error;
    throw bad(`cannot be read (${(error as NodeJS.ErrnoException).code}); make it, readable by this process's user`);
  }
  const shape = 'is not JSON of the form {"accessKeyId":"…","secretAccessKey":"…"}';
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // JSON.parse quotes the text in its message, and the text is secret.
    throw bad(shape);
  }
  const field = (name: string) => {
    const value: unknown = typeof parsed === "object" && parsed !== null ? Reflect.get(parsed, name) : undefined;
    return typeof value === "string" && value !== "" ? value : undefined;
  };
  const accessKeyId = field("accessKeyId");
  const secretAccessKey = field("secretAccessKey");
  const sessionToken = field("sessionToken");
  if (accessKeyId === undefined || secretAccessKey === undefined) throw bad(shape);
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  return { credentials, untilMs: Date.now() + REREAD_MS };
}

/** A pair as the AWS SDK's providers give it. */
interface Provided {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

async function fromProvider(description: string, provider: () => Promise<Provided>): Promise<Expiring> {
  let provided: Provided;
  try {
    provided = await provider();
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new RinglightError(
      "RL_UFS_DENIED",
      `no credentials from ${description} (${words}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or an AWS profile for this process, or give the mount other credentials`,
    );
  }
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = provided;
  const credentials = { accessKeyId, secretAccessKey, ...(sessionToken !== undefined && { sessionToken }) };
  return { credentials, untilMs: expiration ? expiration.getTime() - RENEW_BEFORE_MS : Date.now() + REREAD_MS };
}
