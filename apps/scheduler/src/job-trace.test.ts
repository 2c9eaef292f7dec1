/** A job is one trace, through the scheduler and the workers. */
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

/** Bodies of OTLP exports: protobuf, in which names are text and ids are bytes. */
const bodies: Buffer[] = [];
const collector = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.once("end", () => {
    bodies.push(Buffer.concat(chunks));
    response.writeHead(200, { "content-type": "application/x-protobuf" }).end();
  });
});
let cluster: JobCluster;

before(async () => {
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  const otlpEndpoint = `http://127.0.0.1:${port}`;
  cluster = await startJobCluster({ workers: 2, schedulers: 1, workerFlags: ["--mem=32MiB", "--ssd=0"], otlpEndpoint });
  await cluster.mount("data");
});

after(async () => {
  await cluster?.close();
  collector.closeAllConnections();
  await new Promise((resolve) => collector.close(resolve));
});

function sent(service: string, name: string, traceId: string): boolean {
  const id = Buffer.from(traceId, "hex");
  return bodies.some((body) => body.includes(service) && body.includes(name) && body.includes(id));
}

test("the job's root, its batches and the workers' tasks are spans of one trace, and objects have none", async () => {
  for (let index = 0; index < 200; index++)
    cluster.origin.putObject("data", `t/${index}`, { sizeBytes: 1000, seed: index });
  const job = await cluster.end((await cluster.submit({ paths: ["/data/t/"] })).id);
  assert.equal(job.state, "complete", job.reason);
  assert.match(job.traceId, /^[0-9a-f]{32}$/);
  await waitFor(() => sent("ringlight-scheduler", "ringlight.job load", job.traceId), { what: "the root" });
  await waitFor(() => sent("ringlight-scheduler", "ringlight.job.batch", job.traceId), { what: "a batch" });
  await waitFor(() => sent("ringlight-worker", "ringlight.task load", job.traceId), { what: "a task" });
  assert.equal(
    bodies.some((body) => body.includes("ringlight.ufs.get")),
    false,
  );
});
