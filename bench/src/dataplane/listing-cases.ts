/** Listings of a directory of a million keys, of a store that computes them: the first page, and a worker's memory over the walk. */
import { fileURLToPath } from "node:url";
import { BenchProcess } from "../bench-process.ts";
import { Ringlight } from "./ringlight.ts";
import { type Row, spread } from "./row.ts";
import { BUCKET, type Stage } from "./stage.ts";

const FIRST_COLD = "listing of a million keys: the first page, cold";
const FIRST_WARM = "listing of a million keys: the first page, warm";
const WALK = "listing of a million keys: memory over a walk of all pages";
const KEYS = 1_000_000;
const MIB = 1024 * 1024;
const WARM_READS = 20;
/** The listing cache of a worker (32 MiB) and what a busy heap takes beside it. */
const BUDGET_MIB = 256;

/** The rows that are wanted. */
export async function listingCases(stage: Stage, wanted: (name: string) => boolean): Promise<Row[]> {
  if (![FIRST_COLD, FIRST_WARM, WALK].some(wanted)) return [];
  const rows = await stage.rows(FIRST_COLD, () => measure(stage, wanted(WALK)));
  return rows.filter((row) => wanted(row.case));
}

async function measure(stage: Stage, walks: boolean): Promise<Row[]> {
  const program = fileURLToPath(new URL("../computed-keys-main.ts", import.meta.url));
  const origin = new BenchProcess("store of computed keys", program, [String(KEYS)]);
  stage.onClose(() => origin.stop());
  const { endpoint } = await origin.line((line) => JSON.parse(line) as { endpoint: string });
  const ringlight = await Ringlight.start(stage, { workers: [undefined], mem: "256MiB" });
  try {
    await ringlight.mount({ endpoint });
    const { s3Port, process: worker } = ringlight.worker;
    const page = async (
      token: string,
    ): Promise<{ readonly ms: number; readonly keys: number; readonly next: string }> => {
      const from = performance.now();
      const query = `list-type=2&prefix=keys%2F&max-keys=1000${token === "" ? "" : `&continuation-token=${encodeURIComponent(token)}`}`;
      const response = await fetch(`http://127.0.0.1:${s3Port}/${BUCKET}?${query}`);
      const text = await response.text();
      const ms = performance.now() - from;
      if (!response.ok) throw new Error(`the listing was answered with ${response.status}: ${text.slice(0, 200)}`);
      const next = /<NextContinuationToken>([^<]*)</.exec(text)?.[1] ?? "";
      return { ms, keys: text.split("<Key>").length - 1, next };
    };
    const cold = await page("");
    const warm: number[] = [];
    for (let read = 0; read < WARM_READS; read++) warm.push((await page("")).ms);
    const rows: Row[] = [
      { case: FIRST_COLD, reference: "", value: spread([cold.ms]), unit: "ms", bar: { kind: "at most", value: 1000 } },
      { case: FIRST_WARM, reference: "", value: spread(warm), unit: "ms", bar: { kind: "at most", value: 1000 } },
    ];
    if (!walks) return rows;
    const base = worker.resident().total;
    let peak = base;
    let half = base;
    let keys = 0;
    const from = performance.now();
    for (let token = "", more = true; more; ) {
      const { next, keys: listed } = await page(token);
      keys += listed;
      token = next;
      more = next !== "";
      const { total } = worker.resident();
      peak = Math.max(peak, total);
      if (keys <= KEYS / 2) half = peak;
    }
    if (keys !== KEYS) throw new Error(`the walk gave ${keys} keys of ${KEYS}`);
    const shown = (bytes: number) => Math.round(bytes / MIB);
    rows.push({
      case: WALK,
      reference: "",
      value: spread([(peak - base) / MIB]),
      unit: "MiB more",
      bar: { kind: "at most", value: BUDGET_MIB },
      note: `${shown(base)} MiB before, ${shown(half)} MiB at the peak of the first half, ${shown(peak)} MiB at the peak of all; ${KEYS / 1000} pages in ${((performance.now() - from) / 1000).toFixed(0)} s`,
    });
    return rows;
  } finally {
    await ringlight.stop();
  }
}
