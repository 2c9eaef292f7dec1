/** A store whose bucket has as many keys as it is told, computed when they are asked for. Prints its endpoint as one line of JSON. */
import { startS3Origin } from "@ringlight/testing";
import { BUCKET } from "./dataplane/stage.ts";

const origin = await startS3Origin();
origin.synthesize(BUCKET, { prefix: "keys/", count: Number(process.argv[2]) });
process.stdout.write(`${JSON.stringify({ endpoint: origin.endpoint })}\n`);
process.stdin.resume();
process.stdin.once("end", () => {
  origin.close().then(() => process.exit(0));
});
