/**
 * A store at a distance, as a process: an S3 server whose answers come after a delay and whose bodies flow at so many bytes a second
 * a connection, as those of object stores do. Arguments: delay in milliseconds, bytes a second. Prints its endpoint as JSON.
 */
import { startS3Origin } from "@ringlight/testing";

const [delayMs = "0", bytesPerSecond = "0"] = process.argv.slice(2);
const origin = await startS3Origin({ maxLoggedRequests: 10_000_000 });
if (Number(delayMs) > 0) origin.latency(Number(delayMs));
if (Number(bytesPerSecond) > 0) {
  // Bodies of up to some 20 ms come at once: a chunk that is slept for by itself would make small reads too slow.
  origin.slow(({ op, range }) => op === "GetObject" && isLong(range), Number(bytesPerSecond));
}
process.stdout.write(`${JSON.stringify({ endpoint: origin.endpoint })}\n`);
process.stdin.resume();
process.stdin.once("end", () => {
  origin.close().then(() => process.exit(0));
});

function isLong(range: string): boolean {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range);
  return match === null || Number(match[2]) - Number(match[1]) >= 64 * 1024;
}
