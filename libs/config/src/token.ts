/** Files around the settings: the data directory and the cluster token. */
import { readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileError, RinglightError } from "@ringlight/core";

/** Data directory of a cluster on one machine: RINGLIGHT_DATA, or .ringlight in the working directory. */
export function defaultDataDir(
  env: Readonly<Record<string, string | undefined>> = process.env,
  cwd: string = process.cwd(),
): string {
  return env.RINGLIGHT_DATA ? resolve(cwd, env.RINGLIGHT_DATA) : join(cwd, ".ringlight");
}

/**
 * Reads the cluster token from a file. `warn` is told when others than the owner may read the file.
 * @throws RL_BAD_CONFIG when there is no such file or nothing in it, RL_NO_PERMISSION when it may not be read.
 */
export function readToken(file: string, warn: (message: string) => void = () => {}): string {
  let token: string;
  let mode: number;
  try {
    token = readFileSync(file, "utf8").trim();
    mode = statSync(file).mode;
  } catch (error) {
    const isForbidden = (error as NodeJS.ErrnoException).code === "EACCES";
    throw fileError("the token file", file, error, isForbidden ? "RL_NO_PERMISSION" : "RL_BAD_CONFIG");
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    const what = token === "" ? "is empty" : "holds spaces or characters beyond ASCII";
    throw new RinglightError(
      "RL_BAD_CONFIG",
      `the token file ${file} ${what}; it must hold one token of printable characters`,
    );
  }
  if ((mode & 0o077) !== 0) warn(`the token file ${file} can be read by others than its owner: chmod 600 ${file}`);
  return token;
}
