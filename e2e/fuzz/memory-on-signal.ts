/**
 * Loaded into every process of a test's cluster: on SIGUSR2 the process collects its garbage and writes what is left to
 * `<pid>.json` in the directory that RL_MEMORY_DIRECTORY names. It needs --expose-gc.
 */
import { renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";

const directory = process.env.RL_MEMORY_DIRECTORY;
if (directory !== undefined) {
  process.on("SIGUSR2", async () => {
    // What is freed by finalizers is gone after another turn of the event loop and another collection.
    for (let round = 0; round < 4; round++) {
      globalThis.gc?.();
      await setImmediate();
    }
    const file = join(directory, `${process.pid}.json`);
    writeFileSync(`${file}.tmp`, JSON.stringify(process.memoryUsage()));
    renameSync(`${file}.tmp`, file);
  });
}
