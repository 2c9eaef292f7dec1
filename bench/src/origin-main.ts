/** An S3 origin as a process of its own, so that its CPU time can be told apart. Prints its endpoint as one line of JSON. */
import { randomBytes, startS3Origin } from "@ringlight/testing";
import { BUCKET, type SmokeObjects } from "./smoke-objects.ts";

const objects = JSON.parse(process.argv[2] ?? "") as SmokeObjects;
const origin = await startS3Origin();
const byte = new Map<number, Buffer>();
for (const { prefix, count, sizeBytes } of objects) {
  const data = byte.get(sizeBytes) ?? randomBytes(sizeBytes, sizeBytes);
  byte.set(sizeBytes, data);
  for (let index = 0; index < count; index++) origin.putObject(BUCKET, `${prefix}${index}`, data);
}
process.stdout.write(`${JSON.stringify({ endpoint: origin.endpoint })}\n`);
process.stdin.resume();
process.stdin.once("end", () => {
  origin.close().then(() => process.exit(0));
});
