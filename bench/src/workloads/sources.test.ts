/** The workloads' parameters against the figures of their sources, written here a second time by hand. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DescriptionOf, loadDescription, parseDescription, workloadNames } from "./description.ts";
import { FULL, makePlan, type PlanOptions } from "./make-plan.ts";
import { planDigest } from "./plan.ts";

const training = (name: string) => loadDescription(name) as DescriptionOf<"training">;

describe("the descriptions of MLPerf Storage's workloads", () => {
  it("have unet3d's figures", () => {
    const { files, samplesPerFile, recordBytes, recordDeviationBytes, batchSize, readThreads, ...rest } =
      training("unet3d");
    assert.deepEqual(
      { files, samplesPerFile, recordBytes, recordDeviationBytes, batchSize, readThreads },
      {
        files: 168,
        samplesPerFile: 1,
        recordBytes: 146_600_628,
        recordDeviationBytes: 68_341_808,
        batchSize: 7,
        readThreads: 4,
      },
    );
    assert.deepEqual(rest.computationSeconds, { h100: 0.323, a100: 0.636, v100: 1.3604 });
    assert.deepEqual([rest.epochs, rest.passMark, rest.resizedBytes, rest.loader], [5, 0.9, 2_097_152, "pytorch"]);
    assert.ok(rest.shuffleFiles && rest.shuffleSamples);
  });

  it("have resnet50's figures", () => {
    const { files, samplesPerFile, recordBytes, batchSize, readThreads, computationThreads, ...rest } =
      training("resnet50");
    assert.deepEqual(
      { files, samplesPerFile, recordBytes, batchSize, readThreads, computationThreads },
      {
        files: 1024,
        samplesPerFile: 1251,
        recordBytes: 114_660.07,
        batchSize: 400,
        readThreads: 8,
        computationThreads: 8,
      },
    );
    assert.deepEqual(rest.computationSeconds, { h100: 0.224, a100: 0.435, v100: 0.195 });
    assert.deepEqual([rest.epochs, rest.passMark, rest.resizedBytes, rest.transferBytes], [5, 0.9, 150_528, 262_144]);
    assert.ok(!rest.shuffleFiles && !rest.shuffleSamples);
  });

  it("have cosmoflow's figures", () => {
    const { files, samplesPerFile, recordBytes, recordDeviationBytes, batchSize, readThreads, ...rest } =
      training("cosmoflow");
    assert.deepEqual(
      { files, samplesPerFile, recordBytes, recordDeviationBytes, batchSize, readThreads },
      {
        files: 524_288,
        samplesPerFile: 1,
        recordBytes: 2_828_486,
        recordDeviationBytes: 71_311,
        batchSize: 1,
        readThreads: 4,
      },
    );
    assert.deepEqual(rest.computationSeconds, { h100: 0.0035, a100: 0.00551, v100: 0.00936 });
    assert.deepEqual([rest.epochs, rest.passMark, rest.shuffleBuffer], [5, 0.7, 2]);
  });

  it("ask an accelerator for the bytes a second that follow from them", () => {
    const demand = (name: string, accelerator: string) => {
      const { recordBytes, batchSize, computationSeconds } = training(name);
      return (recordBytes * batchSize) / computationSeconds[accelerator]! / 1e6;
    };
    const published: readonly (readonly [string, string, number])[] = [
      ["unet3d", "h100", 3180],
      ["unet3d", "a100", 1610],
      ["resnet50", "h100", 205],
      ["resnet50", "a100", 105],
      ["cosmoflow", "h100", 808],
      ["cosmoflow", "a100", 513],
    ];
    for (const [name, accelerator, megabytes] of published) {
      assert.ok(
        Math.abs(demand(name, accelerator) / megabytes - 1) < 0.01,
        `${name} ${accelerator}: ${demand(name, accelerator)}`,
      );
    }
  });

  it("have the checkpoints' sizes and processes", () => {
    const of = (name: string) => {
      const { checkpointBytes, processes, rounds, pauseSeconds } = loadDescription(name) as DescriptionOf<"checkpoint">;
      return [checkpointBytes, processes, rounds, pauseSeconds];
    };
    assert.deepEqual(of("llama3-8b-checkpoint"), [105e9, 8, 10, 5]);
    assert.deepEqual(of("llama3-70b-checkpoint"), [912e9, 64, 10, 5]);
  });
});

describe("a training plan", () => {
  it("has files of the source's mean size and deviation", () => {
    const { objects } = makePlan(loadDescription("unet3d"), { ...FULL, scale: 20 });
    const mean = objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / objects.length;
    const deviation = Math.sqrt(
      objects.reduce((sum, { sizeBytes }) => sum + (sizeBytes - mean) ** 2, 0) / objects.length,
    );
    assert.equal(objects.length, 3360);
    assert.ok(Math.abs(mean / 146_600_628 - 1) < 0.02, `mean ${mean}`);
    // Of the product of two sides, as DLIO draws them.
    const side = 68_341_808 / (2 * Math.sqrt(146_600_628));
    const expected = Math.sqrt(2 * 146_600_628 * side ** 2 + side ** 4);
    assert.ok(Math.abs(deviation / expected - 1) < 0.04, `deviation ${deviation}, not ${expected}`);
  });

  it("reads every byte once an epoch, in another order each, whole batches at a time", () => {
    const options: PlanOptions = { ...FULL, recordScale: 0.001, epochs: 2, accelerators: 3 };
    const plan = makePlan(loadDescription("unet3d"), options);
    const orders: string[][] = [[], []];
    for (const lane of plan.lanes) {
      for (const { requests, epoch, samples, computeMs } of lane.steps()) {
        assert.equal(requests.length, 7);
        assert.equal(samples, 7);
        assert.ok(Math.abs(computeMs - 0.636) < 1e-9);
        orders[epoch]!.push(...requests.map(({ key }) => key));
      }
    }
    // 168 samples for 3 accelerators in batches of 7: all of them.
    for (const order of orders) assert.deepEqual([...order].sort(), plan.objects.map(({ key }) => key).sort());
    assert.notDeepEqual(orders[0], orders[1]);
  });

  it("streams TensorFlow's files in transfers of 256 KiB that together are the files", () => {
    const plan = makePlan(loadDescription("resnet50"), { ...FULL, scale: 0.01, epochs: 1, recordScale: 0.1 });
    const read = new Map<string, number>();
    for (const { requests } of plan.lanes[0]!.steps()) {
      for (const { key, length } of requests) {
        assert.ok(length > 0 && length <= 262_144);
        read.set(key, (read.get(key) ?? 0) + length);
      }
    }
    // The last batch, which is not whole, is dropped, as the loader does.
    const whole = plan.objects.filter(({ key, sizeBytes }) => read.get(key) === sizeBytes);
    assert.ok(whole.length >= plan.objects.length - 1, `${whole.length} of ${plan.objects.length}`);
  });
});

describe("the same seed", () => {
  const SCALED: PlanOptions = { ...FULL, scale: 0.02, recordScale: 0.01 };

  it("gives the same requests to the byte, and another seed gives others", () => {
    const tables = [tableFile()];
    for (const name of workloadNames()) {
      const description = loadDescription(name);
      const of = (seed: number) => {
        const options = { ...SCALED, seed, accelerators: 1, epochs: 1, tables };
        const wide =
          description.kind === "shards" || description.kind === "safetensors" ? { ...options, scale: 1 } : options;
        const bare =
          description.kind === "training" ? { ...options, scale: Math.max(0.02, 60 / description.files) } : wide;
        if (description.kind === "sql") {
          for (const query of description.queries)
            Object.assign(query, {
              table: "t",
              columns: ["a"],
              where: [{ column: "a", from: 0.2, to: 0.3 }],
              moving: true,
            });
        }
        return planDigest(makePlan(description, bare), 200);
      };
      assert.equal(of(1), of(1), name);
      const isFixed = [
        "resnet50",
        "full-scan",
        "list",
        "sequential-get",
        "llama3-8b-checkpoint",
        "llama3-70b-checkpoint",
      ];
      if (!isFixed.includes(name)) assert.notEqual(of(1), of(2), name);
    }
  });

  it("gives the requests that this version has always given", () => {
    const digest = planDigest(makePlan(loadDescription("random-get"), { ...FULL, seed: 42, users: 2 }), 100);
    assert.equal(digest, "db75cad9d459377b04c5c4ba3a8681fda2f91fffc5aacbe133698628db061a04");
  });
});

function tableFile() {
  const group = (at: number) => ({
    rows: 10,
    chunks: [
      { column: "a", offset: 4 + at * 200, bytes: 100, min: at * 10, max: at * 10 + 9 },
      { column: "b", offset: 104 + at * 200, bytes: 100 },
    ],
  });
  return {
    table: "t",
    key: "tables/t",
    sizeBytes: 8_000_000,
    footerBytes: 500,
    groups: Array.from({ length: 50 }, (_, at) => group(at)),
  };
}

describe("a description", () => {
  it("is refused with the names of keys that are not known, and of those that are wrong", () => {
    const text =
      "name: x\ntitle: t\nsource: s\nkind: micro\noperations: { get: 1 }\nobjects: many\nobjectBytes: 4KiB\norder: random\nusers: 2\nreadahead: 5\n";
    assert.throws(
      () => parseDescription(text, "mine.yaml"),
      (error: Error) =>
        /^mine\.yaml: /.test(error.message) &&
        /objects: /.test(error.message) &&
        /readahead: not known here/.test(error.message),
    );
    assert.throws(() => loadDescription("nothing"), /there is no workload "nothing"; there are /);
  });

  it("comes with every workload, and each names its source", () => {
    assert.ok(workloadNames().length >= 20);
    for (const name of workloadNames()) assert.ok(loadDescription(name).source.length > 10, name);
  });
});
