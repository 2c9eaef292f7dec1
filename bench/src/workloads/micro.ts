/** Plans of the small benchmarks: one operation, or a mix, by so many users without a pause. */
import type { DescriptionOf } from "./description.ts";
import type { PlanOptions } from "./make-plan.ts";
import {
  type DataObject,
  get,
  type Lane,
  type Operation,
  objectsOf,
  type Plan,
  type PlannedRequest,
  type Step,
  step,
} from "./plan.ts";
import { RandomStream, ZipfRanks } from "./random.ts";

/** Makes the plan. */
export function microPlan(description: DescriptionOf<"micro">, options: PlanOptions): Plan {
  const { name, zipf } = description;
  const count = Math.max(1, Math.round(description.objects * options.scale));
  const sizeBytes = Math.max(1, Math.round(description.objectBytes * options.recordScale));
  const readBytes = Math.min(description.readBytes ?? 0, sizeBytes);
  const objects = objectsOf(`${name}/`, count, sizeBytes);
  const operations = Object.entries(description.operations) as [Operation, number][];
  const weight = operations.reduce((sum, [, share]) => sum + share, 0);
  const ranks = zipf > 0 ? new ZipfRanks(count, zipf) : undefined;
  const users = options.users ?? description.users;
  const lanes = Array.from(
    { length: users },
    (_, user): Lane => ({
      name: `user-${user}`,
      depth: 1,
      ahead: 0,
      steps: function* (): Generator<Step> {
        const random = new RandomStream(options.seed, `${name}/user-${user}`);
        const places = Math.max(1, Math.floor(sizeBytes / (readBytes || sizeBytes)));
        // Sequential readers are spread over the objects, and go through each from start to end.
        let next = Math.floor((user * count) / users) * places;
        for (;;) {
          const op = operations.length === 1 ? operations[0]![0] : drawn(operations, random.next() * weight);
          const position =
            description.order === "random"
              ? (ranks?.draw(random) ?? random.below(count)) * places + (places > 1 ? random.below(places) : 0)
              : next++;
          const object = objects[Math.floor(position / places) % count]!;
          yield step([request(op, object, (position % places) * readBytes, readBytes, random)]);
        }
      },
    }),
  );
  return { objects, lanes, endless: true, inStep: false };
}

function drawn(operations: readonly (readonly [Operation, number])[], draw: number): Operation {
  let passed = 0;
  for (const [op, share] of operations) {
    passed += share;
    if (draw < passed) return op;
  }
  return operations[0]![0];
}

function request(
  op: Operation,
  object: DataObject,
  offset: number,
  length: number,
  random: RandomStream,
): PlannedRequest {
  if (op === "get") return get(object.key, offset, length);
  // Writes go to keys of their own, which no read asks for: a read has its size to check.
  if (op === "put") {
    return { op, key: `${object.key}-written-${random.below(64)}`, offset: 0, length: length || object.sizeBytes };
  }
  if (op === "list") return { op, key: object.key.slice(0, object.key.lastIndexOf("/") + 1), offset: 0, length: 0 };
  return { op, key: object.key, offset: 0, length: 0 };
}
