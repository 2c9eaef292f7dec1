/** Errors of files that a user named. */
import { type ErrorCode, RinglightError } from "./errors.ts";

/** What to do about it, by the system's code. */
const SENTENCES: Readonly<Record<string, string>> = {
  ENOENT: "does not exist; name a file that does",
  ENOTDIR: "does not exist, as a part of its path is no directory; name a file that does",
  EISDIR: "is a directory; name a file",
  EACCES: "may not be read by this user; let it be read (chmod), or run as its owner",
  EPERM: "may not be read by this user; let it be read (chmod), or run as its owner",
  ENAMETOOLONG: "has too long a name; name a file that exists",
};

/**
 * An error that says why a file cannot be read, and what to do.
 * @param what what the file is meant to be, with an article: "the policy file"
 */
export function fileError(
  what: string,
  file: string,
  error: unknown,
  code: ErrorCode = "RL_BAD_REQUEST",
): RinglightError {
  const { code: errno = "", message = String(error) } = error as { readonly code?: string; readonly message?: string };
  const sentence = SENTENCES[errno] ?? `cannot be read (${message}); check the file and the disk that it lies on`;
  return new RinglightError(code, `${what} ${file} ${sentence}`, { cause: error });
}
