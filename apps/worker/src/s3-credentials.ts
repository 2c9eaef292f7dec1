/** The key pairs that S3 clients sign with: a JSON file, made at the first start, read again when it changes. */
import { randomBytes } from "node:crypto";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { RinglightError } from "@ringlight/core";
import type { Credentials } from "@ringlight/sigv4";

/** How often the file is looked at for changes, milliseconds. */
const CHECK_EVERY_MS = 2_000;

interface KeyFile {
  readonly keys: readonly { readonly accessKeyId: string; readonly secretAccessKey: string }[];
}

/** Looks keys up. */
export class S3Credentials {
  readonly #file: string;
  readonly #now: () => number;
  #keys: ReadonlyMap<string, Credentials> = new Map();
  #mtimeMs = -1;
  #checkedMs = Number.NEGATIVE_INFINITY;

  /**
   * @param file the key file; made with one key pair, readable by its owner only, if it is not there
   * @throws RL_BAD_CONFIG when it is malformed, RL_NO_PERMISSION when it may not be read or made
   */
  constructor(file: string, now: () => number) {
    this.#file = file;
    this.#now = now;
    try {
      const key = { accessKeyId: `RL${newAccessKeyId()}`, secretAccessKey: randomBytes(30).toString("base64url") };
      writeFileSync(file, `${JSON.stringify({ keys: [key] }, null, 2)}\n`, { flag: "wx", mode: 0o600 });
      chmodSync(file, 0o600);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== "EEXIST") {
        throw new RinglightError("RL_NO_PERMISSION", `cannot make the S3 key file ${file}: ${String(error)}`, {
          cause: error,
        });
      }
    }
    this.#read();
    this.#checkedMs = now();
  }

  /** The key pair of an access key id, if it is one of ours. */
  lookup(accessKeyId: string): Credentials | undefined {
    const now = this.#now();
    if (now - this.#checkedMs >= CHECK_EVERY_MS) {
      this.#checkedMs = now;
      try {
        this.#read();
      } catch {
        // A file that is being rewritten, or was broken by hand: the keys that were good stay good until it is read again.
      }
    }
    return this.#keys.get(accessKeyId);
  }

  #read(): void {
    const { mtimeMs } = statSync(this.#file);
    if (mtimeMs === this.#mtimeMs) return;
    let parsed: KeyFile;
    try {
      parsed = JSON.parse(readFileSync(this.#file, "utf8")) as KeyFile;
    } catch (error) {
      throw new RinglightError("RL_BAD_CONFIG", `the S3 key file ${this.#file} is not readable JSON`, { cause: error });
    }
    // `ringlight up` writes one pair at the top level; a list of pairs is the general form.
    const list = Array.isArray(parsed.keys) ? parsed.keys : [parsed as unknown as KeyFile["keys"][number]];
    for (const key of list) {
      if (
        typeof key.accessKeyId !== "string" ||
        typeof key.secretAccessKey !== "string" ||
        key.secretAccessKey === ""
      ) {
        throw new RinglightError(
          "RL_BAD_CONFIG",
          `the S3 key file ${this.#file} must hold {"keys":[{"accessKeyId","secretAccessKey"}]}`,
        );
      }
    }
    this.#keys = new Map(list.map((key) => [key.accessKeyId, key]));
    this.#mtimeMs = mtimeMs;
  }
}

function newAccessKeyId(): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  return Array.from(randomBytes(18), (byte) => alphabet[byte % 32]).join("");
}
