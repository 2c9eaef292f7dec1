/**
 * Runs Next's server as a supervised process: `node console-launcher.ts <next's command> start <dir> -p <port> ...`.
 * With RINGLIGHT_PARENT_PIPE=1 it ends in order when its standard input closes, that is when its parent is gone.
 */
import { pathToFileURL } from "node:url";

const GRACE_MS = 3_000;

if (process.env.RINGLIGHT_PARENT_PIPE === "1") {
  const end = () => {
    process.kill(process.pid, "SIGTERM");
    setTimeout(() => process.exit(0), GRACE_MS).unref();
  };
  process.stdin.once("end", end).once("error", end).resume();
}

const [command = "", ...args] = process.argv.slice(2);
process.argv = [process.argv[0] ?? "node", command, ...args];
await import(pathToFileURL(command).href);
