/** Memory of a worker while many slow readers read large cold objects through it. */
import { setTimeout as sleep } from "node:timers/promises";
import { getLine } from "./requests.ts";
import { Ringlight } from "./ringlight.ts";
import { type Row, spread } from "./row.ts";
import type { Stage } from "./stage.ts";
import { plainStore } from "./stores.ts";

const NAME = "memory under 64 slow readers of 1 GiB objects";
const READERS = 64;
const SLOW_BYTES_PER_SECOND = 1024 * 1024;
const SAMPLE_MS = 100;
const MIB = 1024 * 1024;
/** What a worker may have in flight from stores (its fetch budget), and the heap and buffers of a busy process. */
const BUDGET_MIB = 256 + 256;

/** The row, if it is wanted. */
export async function memoryCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  if (!wanted(NAME)) return [];
  return [...(await stage.rows(NAME, () => slowReaders(stage)))];
}

async function slowReaders(stage: Stage): Promise<Row[]> {
  const store = await plainStore(stage);
  const ringlight = await Ringlight.start(stage, { workers: [undefined], mem: "1GiB" });
  try {
    await ringlight.mount(store.mount);
    const door = await ringlight.door("c4k");
    const { process } = ringlight.worker;
    const base = process.resident();
    const peak = { total: base.total, anonymous: base.anonymous };
    let reading = true;
    const sampled = (async () => {
      while (reading) {
        const { total, anonymous } = process.resident();
        peak.total = Math.max(peak.total, total);
        peak.anonymous = Math.max(peak.anonymous, anonymous);
        await sleep(SAMPLE_MS);
      }
    })();
    const lines = Array.from({ length: READERS }, (_, index) => getLine(door, `cold/c1g/slow-${index}`));
    const load = stage.generator.load({
      endpoints: [{ port: door.port, targets: stage.generator.targets(lines) }],
      connections: READERS,
      seconds: stage.effort.quick ? 4 : 15,
      order: "once",
      slowBytesPerSecond: SLOW_BYTES_PER_SECOND,
      cores: "0,1",
    });
    const { bytes, seconds } = await load.finally(() => {
      reading = false;
    });
    await sampled;
    const grown = (peak.total - base.total) / MIB;
    const note =
      `${Math.round(base.total / MIB)} MiB before, ${Math.round(peak.total / MIB)} MiB at the peak, of which ${Math.round(peak.anonymous / MIB)} MiB are heap and buffers; ` +
      `the readers took ${(bytes / seconds / MIB).toFixed(0)} MiB/s together; the budget is 256 MiB of fetches in flight and 256 MiB of heap and buffers`;
    return [
      {
        case: NAME,
        reference: "",
        value: spread([grown]),
        unit: "MiB more",
        bar: { kind: "at most", value: BUDGET_MIB },
        note,
      },
    ];
  } finally {
    await ringlight.stop();
  }
}
