/**
 * Readers of parsed JSON by shape: each takes an unknown value and gives the typed one, or says where it is wrong. Unknown
 * fields are ignored, absent and null ones take the field's default, as proto3's JSON has it.
 */
import { RinglightError } from "@ringlight/core";

/** Reads one value; `undefined` stands for an absent field. */
export type JsonReader<T> = (value: unknown) => T;

/** A value that is not what its field needs; the place is put in front while the readers are left. */
class WrongShape extends Error {
  place = "";
}

const wrong = (needed: string): never => {
  throw new WrongShape(needed);
};

/** Runs `read` and puts `place` before where it failed. */
function within<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof WrongShape) error.place = place + error.place;
    throw error;
  }
}

export const text: JsonReader<string> = (value) =>
  value === undefined || value === null ? "" : typeof value === "string" ? value : wrong("text");

export const flag: JsonReader<boolean> = (value) =>
  value === undefined || value === null ? false : typeof value === "boolean" ? value : wrong("true or false");

const SPECIAL_NUMBERS: Readonly<Record<string, number>> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
};

/** A number, also as text. */
export const number: JsonReader<number> = (value) => {
  if (value === undefined || value === null) return 0;
  if (typeof value === "number") return value;
  if (typeof value !== "string") return wrong("a number");
  const special = SPECIAL_NUMBERS[value];
  if (special !== undefined) return special;
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value) ? Number(value) : wrong("a number");
};

/** A whole number that fits 32 bits: enums, flags, counts. Enums by name are not of the protocol. */
export const integer: JsonReader<number> = (value) => {
  const found = number(value);
  return Number.isInteger(found) && Math.abs(found) <= 0xffffffff ? found : wrong("a whole number");
};

/** A 64-bit integer as decimal text; as a number where the sender wrote one. */
export const decimal: JsonReader<string> = (value) => {
  if (value === undefined || value === null) return "0";
  if (typeof value === "number" && Number.isInteger(value)) return BigInt(value).toString();
  return typeof value === "string" && /^-?\d{1,20}$/.test(value) ? value : wrong("a 64-bit integer as decimal text");
};

/** An id in hex, of any length: which length is right is judged with the record. */
export const hex: JsonReader<Buffer> = (value) => {
  if (value === undefined || value === null || value === "") return Buffer.alloc(0);
  const found = typeof value === "string" && /^([0-9a-f]{2})+$/i.test(value);
  return found ? Buffer.from(value as string, "hex") : wrong("an id as hex digits");
};

export const base64: JsonReader<Buffer> = (value) =>
  value === undefined || value === null
    ? Buffer.alloc(0)
    : typeof value === "string"
      ? Buffer.from(value, "base64")
      : wrong("bytes as base64");

/** A list of what `item` reads. */
export function list<T>(item: JsonReader<T>): JsonReader<T[]> {
  return (value) => {
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) return wrong("a list");
    return value.map((one: unknown, index) => within(`[${index}]`, () => item(one)));
  };
}

/** What `read` reads, or undefined where the field is absent. */
export function optional<T>(read: JsonReader<T>): JsonReader<T | undefined> {
  return (value) => (value === undefined || value === null ? undefined : read(value));
}

/** An object with these fields. */
export function object<T extends object>(fields: { readonly [K in keyof T]-?: JsonReader<T[K]> }): JsonReader<T> {
  const entries = Object.entries(fields) as [string, JsonReader<unknown>][];
  return (value) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return wrong("an object");
    const made: Record<string, unknown> = {};
    for (const [name, read] of entries) {
      const found = (value as Record<string, unknown>)[name];
      made[name] = within(`.${name}`, () => read(found));
    }
    // Every field of T has its reader: see the type of `fields`.
    return made as T;
  };
}

/** A reader that needs itself: resolved when it is used. */
export function lazy<T>(make: () => JsonReader<T>): JsonReader<T> {
  return (value) => make()(value);
}

/** Parses JSON and reads it. @throws RL_BAD_REQUEST with the place of what is wrong. */
export function readJson<T>(source: string, read: JsonReader<T>): T {
  let parsed: unknown;
  try {
    parsed = JSON.parse(source);
  } catch (error) {
    throw new RinglightError("RL_BAD_REQUEST", `the body is not JSON: ${(error as Error).message}`, { cause: error });
  }
  try {
    return read(parsed);
  } catch (error) {
    if (error instanceof WrongShape) {
      throw new RinglightError(
        "RL_BAD_REQUEST",
        `the body is not OTLP/JSON: ${error.place.replace(/^\./, "") || "it"} must be ${error.message}`,
        { cause: error },
      );
    }
    if (error instanceof RangeError) {
      throw new RinglightError("RL_BAD_REQUEST", "the body is nested too deeply", { cause: error });
    }
    throw error;
  }
}
