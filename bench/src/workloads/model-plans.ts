/** Plans of what surrounds training: checkpoints, model files, image folders, shards, and indexes of vectors. */
import type { DescriptionOf } from "./description.ts";
import type { PlanOptions } from "./make-plan.ts";
import { type DataObject, get, type Lane, objectsOf, type Plan, type PlannedRequest, type Step, step } from "./plan.ts";
import { RandomStream, ZipfRanks } from "./random.ts";

const scaled = (count: number, scale: number) => Math.max(1, Math.round(count * scale));
const lanesOf = (count: number, name: string, steps: (index: number) => Iterable<Step>, depth = 1, ahead = 0): Lane[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${name}-${index}`, depth, ahead, steps: () => steps(index) }));

/** Ranges of `unitBytes` that cover an object. */
function ranges(key: string, sizeBytes: number, unitBytes: number): PlannedRequest[] {
  const covered: PlannedRequest[] = [];
  for (let at = 0; at < sizeBytes; at += unitBytes) covered.push(get(key, at, Math.min(unitBytes, sizeBytes - at)));
  return covered;
}

/** Each process writes its part of each checkpoint in chunks, and reads all its parts back after the last one. */
export function checkpointPlan(description: DescriptionOf<"checkpoint">, options: PlanOptions): Plan {
  const { name, rounds, pauseSeconds } = description;
  const processes = options.users ?? description.processes;
  const partBytes = Math.max(1, Math.round((description.checkpointBytes * options.recordScale) / processes));
  const chunkBytes = Math.min(partBytes, description.chunkBytes);
  const kept = scaled(rounds, options.scale);
  const key = (round: number, index: number, chunk: number) => `${name}/ckpt-${round}/rank-${index}/${chunk}`;
  const chunks = Math.ceil(partBytes / chunkBytes);
  const sizeOf = (chunk: number) => Math.min(chunkBytes, partBytes - chunk * chunkBytes);
  const each = (round: number, index: number, op: "put" | "get") =>
    Array.from({ length: chunks }, (_, chunk) => ({
      op,
      key: key(round, index, chunk),
      offset: 0,
      length: sizeOf(chunk),
    }));
  const steps = function* (index: number): Generator<Step> {
    for (let round = 0; round < kept; round++) {
      const part = "save";
      const computeMs = pauseSeconds * 1000 * options.recordScale;
      yield step(each(round, index, "put"), { width: 4, epoch: round, part, endsPart: true, computeMs });
    }
    for (let round = 0; round < kept; round++) {
      yield step(each(round, index, "get"), { width: 4, epoch: kept + round, part: "restore", endsPart: true });
    }
  };
  // What is read was written by the run itself.
  return { objects: [], lanes: lanesOf(processes, "rank", steps), endless: false, inStep: true };
}

/** Length, header, then tensors; tensors that lie next to each other and belong to one loader are read in one range. */
export function safetensorsPlan(description: DescriptionOf<"safetensors">, options: PlanOptions): Plan {
  const { name, headerBytes, parallel, tensorsPerFile } = description;
  const loaders = options.users ?? description.loaders;
  const sizeBytes = Math.round(description.fileBytes * options.recordScale);
  const rangeBytes = Math.max(1, Math.round(description.rangeBytes * options.recordScale));
  const objects = objectsOf(`${name}/model-`, scaled(description.files, options.scale), sizeBytes).map((object) => ({
    ...object,
    key: `${object.key}.safetensors`,
  }));
  const header = Math.min(headerBytes, Math.floor(sizeBytes / 2));
  const steps = function* (index: number): Generator<Step> {
    for (const [at, object] of objects.entries()) {
      const load = { epoch: 0, part: "load" };
      yield step([get(object.key, 0, 8)], load);
      yield step([get(object.key, 8, header)], load);
      const tensors = tensorOffsets(options.seed, `${name}/${at}`, header + 8, object.sizeBytes, tensorsPerFile);
      const first = Math.floor((tensorsPerFile * index) / loaders);
      const end = Math.floor((tensorsPerFile * (index + 1)) / loaders);
      const mine = ranges(object.key, tensors[end]! - tensors[first]!, rangeBytes).map(({ offset, length }) =>
        get(object.key, tensors[first]! + offset, length),
      );
      yield step(mine, { ...load, width: parallel, endsPart: at === objects.length - 1 });
    }
  };
  return { objects, lanes: lanesOf(loaders, "loader", steps), endless: false, inStep: false };
}

/** Where tensors begin, and the end of the last: sizes differ as those of norms, projections and embeddings do. */
function tensorOffsets(seed: number, purpose: string, begin: number, end: number, count: number): number[] {
  const random = new RandomStream(seed, purpose);
  const weights = Array.from({ length: count }, () => 10 ** (random.next() * 3));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const offsets = [begin];
  let passed = 0;
  for (const weight of weights) {
    passed += weight;
    offsets.push(Math.min(end, begin + Math.round((passed / sum) * (end - begin))));
  }
  return offsets;
}

/** Every image once an epoch, in a new order each, dealt to the readers in batches. */
export function imagesPlan(description: DescriptionOf<"images">, options: PlanOptions): Plan {
  const { name, batchSize, thinkSeconds, filesPerDirectory } = description;
  const readers = options.users ?? description.readers;
  const random = new RandomStream(options.seed, `${name}/sizes`);
  const count = scaled(description.files, options.scale);
  const objects = Array.from({ length: count }, (_, index): DataObject => {
    const bytes = random.normal(description.meanBytes, description.deviationBytes) * options.recordScale;
    const directory = String(Math.floor(index / filesPerDirectory)).padStart(4, "0");
    return {
      key: `${name}/class-${directory}/${String(index).padStart(7, "0")}.jpg`,
      sizeBytes: Math.round(Math.max(description.meanBytes * options.recordScale * 0.05, bytes)),
    };
  });
  const steps = function* (index: number): Generator<Step> {
    for (let epoch = 0; epoch < (options.epochs ?? description.epochs); epoch++) {
      const order = new RandomStream(options.seed + epoch, `${name}/order`).permutation(count);
      for (let at = index * batchSize; at < count; at += readers * batchSize) {
        const batch = Array.from(order.subarray(at, at + batchSize), (image) => get(objects[image]!.key));
        yield step(batch, { epoch, samples: batch.length, computeMs: thinkSeconds * 1000 });
      }
    }
  };
  return { objects, lanes: lanesOf(readers, "reader", steps), endless: false, inStep: false };
}

/** Each reader reads its shards from start to end; who reads which is dealt anew each epoch. */
export function shardsPlan(description: DescriptionOf<"shards">, options: PlanOptions): Plan {
  const { name } = description;
  const readers = options.users ?? description.readers;
  const readBytes = Math.max(64 * 1024, Math.round(description.readBytes * Math.min(1, options.recordScale * 16)));
  const size = Math.round(description.shardBytes * options.recordScale);
  const objects = objectsOf(`${name}/shard-`, scaled(description.shards, options.scale), size).map((object) => ({
    ...object,
    key: `${object.key}.tar`,
  }));
  const steps = function* (index: number): Generator<Step> {
    for (let epoch = 0; epoch < (options.epochs ?? description.epochs); epoch++) {
      const order = new RandomStream(options.seed + epoch, `${name}/order`).permutation(objects.length);
      for (let at = index; at < objects.length; at += readers) {
        const shard = objects[order[at]!]!;
        yield step(ranges(shard.key, shard.sizeBytes, readBytes), { epoch, part: "shard", endsPart: true });
      }
    }
  };
  return { objects, lanes: lanesOf(readers, "reader", steps), endless: false, inStep: false };
}

/** Searches: hop after hop, some reads at once in each, popular places more often. */
export function vectorsPlan(description: DescriptionOf<"vectors">, options: PlanOptions): Plan {
  const { name, hops, readsPerHop, leastReadBytes, greatestReadBytes } = description;
  const count = scaled(description.files, options.scale);
  const size = Math.max(
    greatestReadBytes,
    Math.round((description.indexBytes / description.files) * options.recordScale),
  );
  const objects = objectsOf(`${name}/index-`, count, size);
  const sectors = Math.floor(size / leastReadBytes);
  const ranks = new ZipfRanks(Math.min(count * sectors, 1_000_000), description.zipf);
  const doublings = Math.floor(Math.log2(greatestReadBytes / leastReadBytes)) + 1;
  const steps = function* (index: number): Generator<Step> {
    const random = new RandomStream(options.seed, `${name}/searches/${index}`);
    for (;;) {
      for (let hop = 0; hop < hops; hop++) {
        const reads = Array.from({ length: readsPerHop }, () => {
          // Popular ranks lie scattered over the index, as neighbours in a graph do.
          const place = (ranks.draw(random) * 2_654_435_761) % (count * sectors);
          const length = leastReadBytes * 2 ** random.below(doublings);
          const offset = Math.min((place % sectors) * leastReadBytes, size - length);
          return get(objects[Math.floor(place / sectors)]!.key, offset, length);
        });
        yield step(reads, { width: readsPerHop, part: "search", endsPart: hop === hops - 1 });
      }
    }
  };
  return { objects, lanes: lanesOf(options.users ?? description.users, "user", steps), endless: true, inStep: false };
}
