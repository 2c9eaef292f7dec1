/** One setting: how its text becomes a value, its default, and what people are told about it. */
import { isIP } from "node:net";
import { resolve } from "node:path";
import { type BucketTemplate, isRinglightError, parseBucketTemplate, parseBytes, parseDuration } from "@ringlight/core";
import { z } from "zod";
import { isKernelDirectory } from "./kernel-directory.ts";

/** What was written for a setting: text, or a list where the setting takes one. */
export type RawValue = string | readonly string[];

/** A setting of a process. `As` is its name in the values where that differs from the key, because a unit is added. */
export interface Setting<V = unknown, As extends string | undefined = string | undefined> {
  readonly as: As;
  /** Text (or list) to value. */
  readonly schema: z.ZodType<V>;
  /** The default as one would write it. */
  readonly default: string | undefined;
  /** Works the default out from what is set elsewhere. */
  readonly derive: ((raw: Readonly<Record<string, RawValue>>) => RawValue | undefined) | undefined;
  /** The derived default in words, for tables. */
  readonly deriveNote: string | undefined;
  readonly required: boolean;
  readonly list: boolean;
  /** What the setting does, one sentence. */
  readonly about: string;
  /** What may be written, in words; ends the sentence "must be ...". */
  readonly allowed: string;
}

/** Settings of one process by key. */
export type Settings = Readonly<Record<string, Setting>>;

/** The values that settings make, under the names that code uses. */
export type Values<S extends Settings> = {
  readonly [K in keyof S & string as S[K]["as"] extends string ? S[K]["as"] : K]: z.output<S[K]["schema"]>;
};

interface Words {
  readonly about: string;
  readonly default?: string;
  readonly required?: boolean;
  readonly derive?: (raw: Readonly<Record<string, RawValue>>) => RawValue | undefined;
  readonly deriveNote?: string;
}

function make<V, As extends string | undefined>(
  as: As,
  allowed: string,
  words: Words,
  parse: (text: string) => V | undefined,
): Setting<V, As> {
  const schema = z.string().transform((text, context): V => {
    const value = parse(text.trim());
    if (value !== undefined) return value;
    context.addIssue({ code: "custom", message: `must be ${allowed}` });
    return z.NEVER;
  });
  return {
    as,
    schema,
    default: words.default,
    derive: words.derive,
    deriveNote: words.deriveNote,
    required: words.required ?? false,
    list: false,
    about: words.about,
    allowed,
  };
}

/** The same setting, which may be left out: its value is then undefined. */
export function optional<V, As extends string | undefined>(setting: Setting<V, As>): Setting<V | undefined, As> {
  return { ...setting, schema: setting.schema.optional() };
}

/** A name that becomes part of registry keys and directory names. */
export function name(words: Words): Setting<string, undefined> {
  return make(
    undefined,
    "1 to 64 letters, digits, dots, hyphens or underscores, beginning with one of the first two",
    words,
    (text) => (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) ? text : undefined),
  );
}

/** An address to listen on or to be reached at: an IP address or a host name. */
export function host(words: Words): Setting<string, undefined> {
  return make(undefined, "an IP address or a host name, without a port", words, (text) =>
    isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/.test(text) ? text : undefined,
  );
}

/** What buckets are made of that S3 clients ask for. */
export function bucketTemplate(words: Words): Setting<BucketTemplate, undefined> {
  const allowed = "a mount's URI with {bucket} in it and its options, such as s3://{bucket},endpoint=http://host:port";
  return make(undefined, allowed, words, (text) => {
    try {
      return parseBucketTemplate(text);
    } catch {
      return undefined;
    }
  });
}

/** A TCP port. */
export function port(words: Words & { zero: string }): Setting<number, undefined> {
  return make(undefined, `a port from 1 to 65535, or 0 for ${words.zero}`, words, (text) => {
    const value = Number(text);
    return /^\d{1,5}$/.test(text) && value <= 65_535 ? value : undefined;
  });
}

/** A whole number within bounds. */
export function integer(words: Words & { min: number; max: number }): Setting<number, undefined> {
  return make(undefined, `a whole number from ${words.min} to ${words.max}`, words, (text) => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= words.min && value <= words.max ? value : undefined;
  });
}

/** A number above zero. */
export function positive(words: Words & { max: number }): Setting<number, undefined> {
  return make(undefined, `a number above 0 and up to ${words.max}`, words, (text) => {
    const value = Number(text);
    return /^\d+(\.\d+)?$/.test(text) && value > 0 && value <= words.max ? value : undefined;
  });
}

/** A share: a number from 0 to 1. */
export function share(words: Words): Setting<number, undefined> {
  return make(undefined, "a number from 0 to 1", words, (text) => {
    const value = Number(text);
    return /^\d+(\.\d+)?$/.test(text) && value <= 1 ? value : undefined;
  });
}

/** The URL of a web server, without a query. */
export function url(words: Words): Setting<string, undefined> {
  return make(undefined, "a URL such as http://host:port", words, (text) => {
    if (!/^https?:\/\/[^?#]+$/.test(text) || !URL.canParse(text)) return undefined;
    return text.replace(/\/+$/, "");
  });
}

/** Bytes, with a unit. */
export function bytes<As extends string>(
  as: As,
  words: Words & { min: number; max?: number; powerOfTwo?: boolean; limits: string },
): Setting<number, As> {
  return make(as, `bytes such as 256MiB or 10GB, ${words.limits}`, words, (text) => {
    const value = parsed(() => parseBytes(text));
    if (value === undefined || value < words.min || value > (words.max ?? Number.MAX_SAFE_INTEGER)) return undefined;
    return words.powerOfTwo && !Number.isInteger(Math.log2(value)) ? undefined : value;
  });
}

/** A duration, with a unit. */
export function duration<As extends string>(
  as: As,
  words: Words & { minMs: number; maxMs: number; limits: string },
): Setting<number, As> {
  return make(as, `a duration such as 250ms, 5s or 2m, ${words.limits}`, words, (text) => {
    const value = parsed(() => parseDuration(text));
    return value !== undefined && value >= words.minMs && value <= words.maxMs ? value : undefined;
  });
}

/** A file or directory; relative paths are made absolute from the working directory. */
export function path(words: Words): Setting<string, undefined> {
  return make(undefined, "a path", words, (text) => (text === "" ? undefined : resolve(text)));
}

/** A directory that the process makes if need be. */
export function directory(words: Words): Setting<string, undefined> {
  return make(undefined, "a path outside of /proc and /sys", words, (text) =>
    text === "" || isKernelDirectory(text) ? undefined : resolve(text),
  );
}

/** One word of a few. */
export function oneOf<const T extends readonly string[]>(words: Words & { of: T }): Setting<T[number], undefined> {
  return make(undefined, `one of ${words.of.join(", ")}`, words, (text): T[number] | undefined =>
    words.of.find((word) => word === text),
  );
}

/** A list: commas in text, a sequence in YAML. */
export function list(
  words: Words & { allowed: string; item: (text: string) => string | undefined },
): Setting<string[], undefined> {
  const allowed = words.allowed;
  const schema = z
    .union([z.string().transform((text) => text.split(",")), z.array(z.string())])
    .transform((items, context): string[] => {
      const values = items.map((item) => words.item(item.trim()));
      if (values.length > 0 && values.every((value) => value !== undefined)) return values;
      context.addIssue({ code: "custom", message: `must be ${allowed}` });
      return z.NEVER;
    });
  return { ...make(undefined, allowed, words, () => undefined as string[] | undefined), schema, list: true };
}

/** `host:port`, an IPv6 address in brackets; undefined for anything else. */
export function hostPort(text: string): string | undefined {
  const match = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text);
  return match && Number(match[2]) >= 1 && Number(match[2]) <= 65_535 ? text : undefined;
}

function parsed(parse: () => number): number | undefined {
  try {
    return parse();
  } catch (error) {
    if (isRinglightError(error, "RL_BAD_REQUEST")) return undefined;
    throw error;
  }
}
