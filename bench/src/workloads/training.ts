/**
 * Training, after DLIO (dlio_benchmark) and MLPerf Storage: accelerators that compute for a fixed time a batch, and readers
 * that fetch batches ahead of them. PyTorch: each of `readThreads` workers fetches a whole batch, sample after sample, and keeps
 * `prefetchBatches` ahead. TensorFlow: `readThreads` files are streamed side by side in reads of `transferBytes`, and
 * `prefetchBatches` batches are ahead in all.
 *
 * Samples are dealt as PyTorch's DistributedSampler does: a permutation of all by (seed + epoch), every n-th to each accelerator.
 * Without shuffling each accelerator has a contiguous part, in the same order each epoch.
 */
import { RinglightError } from "@ringlight/core";
import type { DescriptionOf } from "./description.ts";
import type { PlanOptions } from "./make-plan.ts";
import { type DataObject, get, type Lane, type Plan, type PlannedRequest, type Step, step } from "./plan.ts";
import { RandomStream } from "./random.ts";

type Training = DescriptionOf<"training">;

/** Makes the plan. @throws RL_BAD_REQUEST for an accelerator without a time, or fewer samples than one batch for each accelerator */
export function trainingPlan(description: Training, options: PlanOptions): Plan {
  const accelerator = options.accelerator ?? "a100";
  const seconds = description.computationSeconds[accelerator];
  if (seconds === undefined) {
    const known = Object.keys(description.computationSeconds).join(", ");
    throw new RinglightError("RL_BAD_REQUEST", `${description.name} has no time for "${accelerator}"; it has ${known}`);
  }
  const accelerators = options.accelerators ?? 1;
  const computeMs = seconds * 1000 * options.recordScale;
  const objects = files(description, options);
  const samples = objects.length * description.samplesPerFile;
  const steps = Math.floor(samples / accelerators / description.batchSize);
  if (steps === 0) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `${samples} samples are less than a batch of ${description.batchSize} for each of ${accelerators} accelerators; scale less`,
    );
  }
  const torch = description.loader === "pytorch";
  const lanes = Array.from(
    { length: accelerators },
    (_, index): Lane => ({
      name: `${accelerator}-${index}`,
      depth: torch ? description.readThreads : 1,
      ahead: torch ? description.readThreads * description.prefetchBatches : description.prefetchBatches,
      steps: () => laneSteps(description, options, objects, { index, accelerators, steps, computeMs }),
    }),
  );
  return {
    objects,
    lanes,
    endless: false,
    inStep: true,
    training: { accelerator, accelerators, passMark: description.passMark, computeMs },
  };
}

/**
 * The files. A record is a square of bytes in DLIO, and both its sides are drawn: N(sqrt(L), deviation / (2 sqrt(L))) each. So its
 * size has the mean L, and about 0.71 of the deviation that the configuration names.
 */
function files(description: Training, { seed, scale, recordScale }: PlanOptions): DataObject[] {
  const random = new RandomStream(seed, `${description.name}/sizes`);
  const count = Math.max(1, Math.round(description.files * scale));
  const root = Math.sqrt(description.recordBytes);
  const side = () => Math.max(root / 10, random.normal(root, description.recordDeviationBytes / (2 * root)));
  const width = String(count - 1).length;
  return Array.from({ length: count }, (_, index) => {
    const record = description.recordDeviationBytes > 0 ? side() * side() : description.recordBytes;
    const sizeBytes = Math.max(1, Math.round(record * recordScale * description.samplesPerFile));
    return { key: `${description.name}/train/img_${String(index).padStart(width, "0")}`, sizeBytes };
  });
}

interface Share {
  readonly index: number;
  readonly accelerators: number;
  readonly steps: number;
  readonly computeMs: number;
}

function* laneSteps(
  description: Training,
  options: PlanOptions,
  objects: readonly DataObject[],
  { index, accelerators, steps, computeMs }: Share,
): Generator<Step> {
  const { batchSize, samplesPerFile, loader, readThreads, transferBytes = 0 } = description;
  const shuffles = description.shuffleFiles || description.shuffleSamples;
  const total = objects.length * samplesPerFile;
  const share = steps * batchSize;
  for (let epoch = 0; epoch < (options.epochs ?? description.epochs); epoch++) {
    // Samples within a file of many stay in its order: such files are streams, and only the order of files changes.
    const files =
      shuffles && samplesPerFile === 1
        ? new RandomStream(options.seed + epoch, `${description.name}/order`).permutation(total)
        : undefined;
    for (let at = 0; at < share; at += batchSize) {
      const requests: PlannedRequest[] = [];
      for (let member = at; member < at + batchSize; member++) {
        const sample = files === undefined ? index * share + member : files[member * accelerators + index]!;
        const object = objects[Math.floor(sample / samplesPerFile)]!;
        if (loader === "pytorch") requests.push(get(object.key));
        else streamed(object, sample % samplesPerFile, samplesPerFile, transferBytes, requests);
      }
      const width = loader === "pytorch" ? 1 : readThreads;
      yield step(requests, { width, computeMs, epoch, samples: batchSize });
    }
  }
}

/** The reads that a stream makes on its way through a sample: whole transfers, each asked for when its first byte is needed. */
function streamed(
  object: DataObject,
  sample: number,
  samplesPerFile: number,
  transferBytes: number,
  into: PlannedRequest[],
): void {
  const begin = Math.floor((object.sizeBytes * sample) / samplesPerFile);
  const end = Math.floor((object.sizeBytes * (sample + 1)) / samplesPerFile);
  const unit = transferBytes === 0 ? object.sizeBytes : transferBytes;
  for (let at = Math.ceil(begin / unit) * unit; at < end; at += unit) {
    into.push(get(object.key, at, Math.min(unit, object.sizeBytes - at)));
  }
}
