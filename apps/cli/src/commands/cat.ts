/** `ringlight cat`: the bytes of an object, or of a range of it, on standard output. */
import { parseBytes, RinglightError } from "@ringlight/core";
import { withClient } from "../connection.ts";
import type { CommonOptions } from "./output.ts";

/** Options of the command. */
export interface CatOptions extends CommonOptions {
  readonly offset?: string;
  readonly length?: string;
}

/** Resolves when standard output takes more, or is closed. */
function drained(): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      process.stdout.removeListener("drain", done);
      process.stdout.removeListener("close", done);
      process.stdout.removeListener("error", done);
      resolve();
    };
    process.stdout.once("drain", done).once("close", done).once("error", done);
  });
}

/** Runs the command. A reader that has enough (`| head`) ends it without an error. */
export async function cat(path: string, options: CatOptions): Promise<void> {
  const offset = options.offset === undefined ? 0 : parseBytes(options.offset);
  const length = options.length === undefined ? undefined : parseBytes(options.length);
  if (length === 0) throw new RinglightError("RL_BAD_REQUEST", "--length 0 asks for nothing; leave it out for all");
  let gone = false;
  const leave = (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    gone = true;
  };
  process.stdout.on("error", leave);
  try {
    await withClient(options, async (client) => {
      const { stream } = client.read(path, { offset, ...(length === undefined ? {} : { length }) });
      for await (const chunk of stream) {
        if (gone) break;
        if (!process.stdout.write(chunk)) await drained();
      }
    });
  } finally {
    // Errors of what is still to be flushed stay covered until the process ends.
    if (!gone) setImmediate(() => process.stdout.removeListener("error", leave));
  }
}
