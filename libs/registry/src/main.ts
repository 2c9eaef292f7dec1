/** An embedded registry as a process of its own: `node main.ts --data-dir DIR [--port 19997] [--bind 127.0.0.1]`. */
import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { isRinglightError } from "@ringlight/core";
import { startEmbeddedRegistry } from "./embedded/server.ts";

const HELP = `The embedded registry: one process that speaks the part of the etcd v3 API that Ringlight uses.

  --data-dir DIR    where it keeps its state; without it, in memory only
  --port PORT       port of the gRPC endpoint (default 19997, where workers, schedulers and the console look for it)
  --bind ADDRESS    address to listen on (default 127.0.0.1); it has no log-in of its own, so leave it on loopback
  --help            prints this, and leaves
`;

try {
  const { values } = parseArgs({
    options: {
      help: { type: "boolean", default: false },
      // The default of the processes' own setting `registry`.
      port: { type: "string", default: "19997" },
      bind: { type: "string", default: "127.0.0.1" },
      "data-dir": { type: "string" },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    process.exit(0);
  }
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port ${values.port} is not a port`);
  const dataDir = values["data-dir"];
  const server = await startEmbeddedRegistry({
    bind: values.bind,
    port,
    ...(dataDir === undefined ? {} : { dataDir }),
    log: (level, message, fields) => {
      if (level === "debug") return;
      try {
        writeSync(2, `${JSON.stringify({ level, message, ...fields })}\n`);
      } catch {
        // A log that cannot be written, on a full disk for example, is no reason to end.
      }
    },
  });
  const stop = () => {
    server.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.on("SIGTERM", stop);
  process.on("SIGINT", stop);
  process.stdout.write(`listening ${values.bind}:${server.port}\n`);
  // Started by `ringlight up`: the pipe closes when the supervisor is gone, however it went.
  if (process.env.RINGLIGHT_PARENT_PIPE === "1") process.stdin.once("end", stop).once("error", stop).resume();
} catch (error) {
  const code = isRinglightError(error) ? `${error.code}: ` : "";
  process.stderr.write(`${code}${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
