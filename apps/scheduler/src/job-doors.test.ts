/** The doors to jobs: the same numbers at each of them. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { resolve } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { connect } from "@ringlight/client";
import { freePort, waitFor } from "@ringlight/testing";
import { type JobCluster, startJobCluster } from "./test-jobs.ts";

const PAGE = 64 * 1024;
const FLAGS = ["--page-size=64KiB", "--segment-size=1MiB", "--mem=64MiB", "--ssd=0"];
const CLI = resolve(import.meta.dirname, "../../cli/src/main.ts");
let cluster: JobCluster;
let url: string;

before(async () => {
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  cluster = await startJobCluster({
    workers: 1,
    schedulers: 1,
    workerFlags: FLAGS,
    schedulerFlags: [`--rest-port=${port}`],
  });
  await cluster.mount("data");
  for (let index = 0; index < 20; index++)
    cluster.origin.putObject("data", `d/${index}`, { sizeBytes: PAGE + index, seed: 1 });
});
after(() => cluster?.close());

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
  const init = body === undefined ? {} : { body: JSON.stringify(body) };
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(`${url}${path}`, { method, ...init, headers: { ...type, ...headers } });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

test("REST, gRPC, the SDK, the command line, Alluxio's door and the metrics tell the same numbers", async () => {
  const submitted = await call("POST", "/v1/jobs", {
    kind: "load",
    paths: ["/data/d", "/data/none"],
    bandwidth: "500MiB/s",
  });
  assert.equal(submitted.status, 201);
  const id = String(submitted.body.id);
  const job = await cluster.end(id);
  assert.deepEqual([job.state, job.loaded?.objects, job.failed?.objects], ["partial", 20, 1]);
  const numbers = ({ listed, loaded, cached, refused, failed, readBytes }: Record<string, unknown>) => ({
    ...{ listed, loaded, cached, refused, failed, readBytes },
  });
  const expected = numbers({ ...job });
  const rest = await call("GET", `/v1/jobs/${id}`);
  assert.deepEqual(numbers(rest.body), expected);
  const worker = cluster.view.workers.values().next().value?.addresses.grpc ?? "";
  const sdk = await connect({ endpoints: [worker], shortCircuit: false });
  try {
    assert.deepEqual(numbers({ ...(await sdk.jobs.wait(id)) }), expected);
    const paths: string[] = [];
    for await (const { path } of sdk.jobs.failed(id)) paths.push(path);
    assert.deepEqual(paths, ["/data/none"]);
    assert.equal((await sdk.jobs.list())[0]?.id, id);
  } finally {
    sdk.close();
  }
  const { stdout } = await promisify(execFile)(process.execPath, [
    CLI,
    "job",
    "show",
    id,
    "--json",
    "--endpoint",
    worker,
  ]);
  assert.deepEqual(JSON.parse(stdout), rest.body);
  const failed = await call("GET", `/v1/jobs/${id}/failed`);
  assert.equal(failed.body.total, 1);
  const text = await (await fetch(`${url}/metrics`)).text();
  const metric = (name: string, outcome: string) =>
    Number(new RegExp(`^${name}\\{[^}]*outcome="${outcome}"[^}]*\\} (\\d+)`, "m").exec(text)?.[1]);
  assert.equal(metric("ringlight_job_objects_ended_total", "loaded"), 20, text);
  assert.equal(metric("ringlight_job_io_bytes_total", "loaded"), job.loaded?.bytes);
  assert.equal(metric("ringlight_job_io_bytes_total", "read"), job.readBytes);
});

test("Alluxio's calls submit, follow and stop a load, by path or by the URI of the store", async () => {
  const query = "/v1/load?path=s3://data/d/&opType=";
  const submit = await call("POST", `${query}submit&verify=true`);
  assert.deepEqual([submit.status, submit.body], [200, true]);
  const done = await waitFor(async () => {
    const { body } = await call("GET", `${query}progress`);
    return body.jobState === "SUCCEEDED" ? body : undefined;
  });
  const job = await cluster.job(String(done?.jobId));
  assert.deepEqual([done?.totalFiles, done?.loadedBytes], [job.listed?.objects, job.loaded?.bytes]);
  assert.equal(done?.verificationEnabled, true);
  assert.deepEqual((await call("POST", `${query}stop`)).body, false);
  assert.equal((await call("GET", "/v1/load?path=/data/other&opType=progress")).status, 404);
  assert.equal((await call("GET", `${query}fly`)).status, 400);
});

test("what is wrong with a submission is named, other origins are kept out, and the document lists every path", async () => {
  const wrong = async (body: unknown, message: RegExp) => {
    const answer = await call("POST", "/v1/jobs", body);
    assert.equal(answer.status, 400);
    assert.match(String(answer.body.message), message);
  };
  await wrong({ paths: "x" }, /paths is not a list/);
  await wrong({ paths: ["/data/d"], bandwith: 1 }, /no field "bandwith"/);
  await wrong({ kind: "rebalance", paths: ["/data"] }, /submits rebalance itself/);
  const foreign = await call("POST", "/v1/jobs", { paths: ["/data/d"] }, { origin: "http://elsewhere.example" });
  assert.equal(foreign.status, 403);
  assert.equal((await call("GET", "/v1/jobs/none")).status, 404);
  const document = (await call("GET", "/openapi.json")).body as { paths: Record<string, unknown> };
  assert.ok(Object.keys(document.paths).length >= 8);
  const { body } = await call("GET", "/v1/jobs?limit=1");
  const [job] = body.jobs as Record<string, unknown>[];
  const { components } = document as unknown as { components: { schemas: { Job: { properties: object } } } };
  assert.deepEqual(Object.keys(components.schemas.Job.properties).sort(), Object.keys(job ?? {}).sort());
});
