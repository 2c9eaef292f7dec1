/** What the workloads beside training ask for, request by request, against the figures of their sources, written here by hand. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type DescriptionOf, loadDescription, workloadNames } from "./description.ts";
import { FULL, makePlan, type PlanOptions } from "./make-plan.ts";
import type { Plan, PlannedRequest, Step } from "./plan.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const planOf = (name: string, options: Partial<PlanOptions> = {}): Plan =>
  makePlan(loadDescription(name), { ...FULL, ...options });

function steps(plan: Plan, lane: number, most = Number.POSITIVE_INFINITY): Step[] {
  const taken: Step[] = [];
  for (const step of plan.lanes[lane]!.steps()) {
    if (taken.length >= most) break;
    taken.push(step);
  }
  return taken;
}

const requestsOf = (plan: Plan, lane: number, most?: number): PlannedRequest[] =>
  steps(plan, lane, most).flatMap(({ requests }) => requests);

/** Asserts that ranges cover an object from `from` to its end, each byte once. */
function coversOnce(ranges: readonly PlannedRequest[], from: number, sizeBytes: number, what: string): void {
  let at = from;
  for (const { offset, length } of [...ranges].sort((a, b) => a.offset - b.offset)) {
    assert.equal(offset, at, what);
    at += length;
  }
  assert.equal(at, sizeBytes, what);
}

function near(actual: number, expected: number, share: number, what: string): void {
  assert.ok(Math.abs(actual / expected - 1) <= share, `${what}: ${actual}, expected ${expected}`);
}

describe("checkpoints", () => {
  it("write all bytes of the model's state once a checkpoint, by as many processes as the rules have, and read them back", () => {
    for (const [name, gigabytes, processes] of [
      ["llama3-8b-checkpoint", 105, 8],
      ["llama3-70b-checkpoint", 912, 64],
    ] as const) {
      const plan = planOf(name, { recordScale: 0.01 });
      assert.equal(plan.lanes.length, processes);
      const all = plan.lanes.flatMap((_, lane) => requestsOf(plan, lane));
      const bytes = (op: string) =>
        all.filter((request) => request.op === op).reduce((sum, { length }) => sum + length, 0);
      // Ten checkpoints are saved and ten restored (Submission_guidelines.md).
      near(bytes("put"), gigabytes * 1e7 * 10, 0.001, `${name}, written`);
      near(bytes("get"), gigabytes * 1e7 * 10, 0.001, `${name}, read`);
    }
  });
});

describe("model files", () => {
  it("hold Llama 3 8B in bf16, and each loader reads length, header, then its tensors' bytes once", () => {
    const plan = planOf("safetensors");
    const total = plan.objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    // 8.03 billion parameters of 2 bytes; 291 tensors.
    near(total, 8.03e9 * 2, 0.01, "bytes of the model");
    const { tensorsPerFile } = loadDescription("safetensors") as DescriptionOf<"safetensors">;
    near(plan.objects.length * tensorsPerFile, 291, 0.01, "tensors");
    const tensors = new Map<string, PlannedRequest[]>(plan.objects.map(({ key }) => [key, []]));
    for (let lane = 0; lane < plan.lanes.length; lane++) {
      const [length, header, ...rest] = steps(plan, lane);
      assert.deepEqual(
        [length, header].map((step) => step?.requests.map(({ offset, length: bytes }) => [offset, bytes])),
        [[[0, 8]], [[8, 9 * KIB]]],
      );
      for (const { requests } of rest) {
        for (const request of requests) {
          if (request.offset > 8) tensors.get(request.key)!.push(request);
          assert.ok(request.length <= 64 * MIB);
        }
      }
    }
    for (const { key, sizeBytes } of plan.objects) coversOnce(tensors.get(key)!, 8 + 9 * KIB, sizeBytes, key);
  });
});

describe("image folders", () => {
  it("have ImageNet's mean size, and give each image whole once an epoch, in another order each", () => {
    const plan = planOf("image-folder", { scale: 0.2 });
    const total = plan.objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    // 138 GB in 1,281,167 files.
    near(total / plan.objects.length, 138e9 / 1_281_167, 0.04, "mean image");
    const orders: string[][] = [[], []];
    for (let lane = 0; lane < plan.lanes.length; lane++) {
      for (const { epoch, requests } of steps(plan, lane)) {
        assert.ok(requests.every(({ offset, length }) => offset === 0 && length === 0));
        orders[epoch]!.push(...requests.map(({ key }) => key));
      }
    }
    const all = plan.objects.map(({ key }) => key).sort();
    for (const order of orders) assert.deepEqual([...order].sort(), all);
    assert.notDeepEqual(orders[0], orders[1]);
  });
});

describe("tar shards", () => {
  it("have a size that the documentation advises, and are read from start to end, each once an epoch", () => {
    const plan = planOf("webdataset");
    const read = new Map<string, number>();
    for (const { sizeBytes } of plan.objects) assert.ok(sizeBytes >= 256e6 && sizeBytes <= 1e9);
    for (let lane = 0; lane < plan.lanes.length; lane++) {
      for (const { requests } of steps(plan, lane)) {
        const [first] = requests;
        const size = plan.objects.find(({ key }) => key === first?.key)?.sizeBytes ?? 0;
        // In their own order they cover the shard: nobody seeks.
        assert.deepEqual(
          requests.map(({ offset }) => offset),
          requests.map((_, at) => at * 8 * MIB),
        );
        coversOnce(requests, 0, size, first?.key ?? "");
        read.set(first?.key ?? "", (read.get(first?.key ?? "") ?? 0) + 1);
      }
    }
    assert.equal(read.size, plan.objects.length);
    assert.ok([...read.values()].every((times) => times === 2));
  });
});

describe("searches of an index on disk", () => {
  it("read sectors of 4 KiB to 64 KiB, a beam of four at once, and popular places more often", () => {
    const plan = planOf("vector-index");
    const counts = new Map<string, number>();
    for (const { requests, width } of steps(plan, 0, 4000)) {
      assert.deepEqual([requests.length, width], [4, 4]);
      for (const { key, offset, length } of requests) {
        assert.ok(offset % (4 * KIB) === 0 && length >= 4 * KIB && length <= 64 * KIB && length % (4 * KIB) === 0);
        counts.set(`${key} ${offset}`, (counts.get(`${key} ${offset}`) ?? 0) + 1);
      }
    }
    // Zipf of 0.9 over a million: the first place has 1 / sum of k^-0.9 of all, which is 2.9 % (harmonic number of order 0.9).
    let harmonic = 0;
    for (let rank = 1; rank <= 1_000_000; rank++) harmonic += rank ** -0.9;
    near(Math.max(...counts.values()) / 16_000, 1 / harmonic, 0.15, "the most popular place");
  });
});

/** Columns and share of the rows' dates of each query, by the specifications' texts and their validation parameters. */
const DAYS = { lineitem: 2526, orders: 2405, year: 365 };
const TPC_H: Readonly<Record<string, { readonly columns: string; readonly share: number }>> = {
  // l_shipdate <= 1998-12-01 less 90 days, of 1992-01-02 to 1998-12-01.
  q1: {
    columns: "l_returnflag l_linestatus l_quantity l_extendedprice l_discount l_tax l_shipdate",
    share: (DAYS.lineitem - 90) / DAYS.lineitem,
  },
  // l_shipdate > 1995-03-15.
  q3: { columns: "l_orderkey l_extendedprice l_discount l_shipdate", share: 1 - 1168 / DAYS.lineitem },
  // A quarter of o_orderdate.
  q4: { columns: "o_orderkey o_orderdate o_orderpriority", share: 92 / DAYS.orders },
  // A year of l_shipdate.
  q6: { columns: "l_shipdate l_discount l_quantity l_extendedprice", share: DAYS.year / DAYS.lineitem },
  // A year of l_receiptdate.
  q12: { columns: "l_orderkey l_shipmode l_shipdate l_commitdate l_receiptdate", share: DAYS.year / 2554 },
  // A month of l_shipdate.
  q14: { columns: "l_partkey l_extendedprice l_discount l_shipdate", share: 30 / DAYS.lineitem },
};
/** store_sales has five years of dates. */
const TPC_DS: typeof TPC_H = {
  // A month of each year; as one piece here.
  q3: { columns: "ss_sold_date_sk ss_item_sk ss_ext_sales_price", share: 1 / 12 },
  // A year.
  q7: {
    columns:
      "ss_sold_date_sk ss_item_sk ss_cdemo_sk ss_promo_sk ss_quantity ss_list_price ss_coupon_amt ss_sales_price",
    share: 1 / 5,
  },
  // A month of a year.
  q42: { columns: "ss_sold_date_sk ss_item_sk ss_ext_sales_price", share: 1 / 60 },
  q55: { columns: "ss_sold_date_sk ss_item_sk ss_ext_sales_price", share: 1 / 60 },
  q96: { columns: "ss_sold_time_sk ss_hdemo_sk ss_store_sk", share: 1 },
};

describe("queries", () => {
  const sql = (name: string) => loadDescription(name) as DescriptionOf<"sql">;

  it("read the columns, and the share of the dates, that TPC-H and TPC-DS have", () => {
    for (const [name, source] of [
      ["tpch", TPC_H],
      ["tpcds", TPC_DS],
    ] as const) {
      assert.deepEqual(
        sql(name)
          .queries.map((query) => query.name)
          .sort(),
        Object.keys(source).sort(),
      );
      for (const query of sql(name).queries) {
        const { columns, share } = source[query.name]!;
        assert.deepEqual([...query.columns].sort(), columns.split(" ").sort(), `${name} ${query.name}`);
        const [where] = query.where;
        const asked = where === undefined ? 1 : where.to - where.from;
        assert.ok(Math.abs(asked - share) <= 0.005, `${name} ${query.name}: ${asked}, the specification has ${share}`);
      }
    }
  });

  it("of a dashboard are ten, over the newest dates, by many users", () => {
    const { queries, users } = sql("dashboard");
    assert.deepEqual([queries.length, users], [10, 8]);
    for (const { name, where } of queries) assert.equal(where[0]?.to, 1, name);
  });

  const group = (at: number) => ({
    rows: 60_000,
    chunks: ["a", "b"].map((column, index) => ({
      column,
      offset: 4 + at * 20e6 + index * 10e6,
      bytes: 10e6,
      min: at,
      max: at + 0.9,
    })),
  });
  const table = {
    table: "lineitem",
    key: "tables/lineitem",
    sizeBytes: 4 + 8 * 20e6 + 10_000 + 8,
    footerBytes: 10_000,
    groups: Array.from({ length: 8 }, (_, at) => group(at)),
  };

  it("of a full scan read each file from start to end, in reads of 8 MiB and splits of 64 MB", () => {
    const plan = planOf("full-scan", { tables: [table], users: 1 });
    const { splits } = sql("full-scan");
    const byPass = plan.lanes.flatMap((_, lane) => requestsOf(plan, lane));
    assert.equal(splits, 4);
    const passes = byPass.filter(({ offset }) => offset === 0).length;
    assert.ok(passes >= 1);
    for (const { length } of byPass) assert.ok(length <= 8 * MIB);
    const unique = new Map(byPass.map((request) => [request.offset, request]));
    coversOnce([...unique.values()], 0, table.sizeBytes, "the file");
  });

  it("of a point lookup read the footer as DuckDB does, and of the data one row group's", () => {
    const description = sql("point-lookup");
    const [query] = description.queries;
    const lookup = { ...description, queries: [{ ...query!, where: [{ ...query!.where[0]!, column: "a" }] }] };
    const plan = makePlan(lookup, { ...FULL, tables: [table], users: 1 });
    const [first, second, ...rest] = requestsOf(plan, 0);
    assert.deepEqual([first?.offset, first?.length], [table.sizeBytes - 8, 8]);
    assert.deepEqual([second?.offset, second?.length], [table.sizeBytes - 8 - table.footerBytes, table.footerBytes]);
    const data = rest.slice(
      0,
      rest.findIndex(({ offset }) => offset === table.sizeBytes - 8),
    );
    const groups = new Set(data.map(({ offset }) => Math.floor((offset - 4) / 20e6)));
    assert.equal(groups.size, 1, `row groups ${[...groups]}`);
  });
});

describe("the small benchmarks", () => {
  it("have the sizes, numbers and users of their sources", () => {
    const sources: readonly (readonly [string, objects: number, bytes: number, users: number])[] = [
      // warp's README: --obj.size 10MiB, --concurrent 20.
      ["large-objects", 200, 10 * MIB, 20],
      // warp mixed: --objects 2500.
      ["mixed", 2500, MIB, 20],
      ["random-get", 16, 64 * MIB, 16],
      ["sequential-get", 16, 64 * MIB, 8],
      ["small-objects", 4000, 4 * KIB, 16],
      ["head", 4000, 4 * KIB, 16],
      ["list", 4000, 4 * KIB, 8],
      ["open-close", 10_000, 4 * KIB, 32],
    ];
    for (const [name, objects, bytes, users] of sources) {
      const plan = planOf(name);
      assert.deepEqual([plan.objects.length, plan.lanes.length], [objects, users], name);
      assert.ok(
        plan.objects.every(({ sizeBytes }) => sizeBytes === bytes),
        name,
      );
    }
  });

  it("do one thing each: whole objects, heads, listings, opens", () => {
    for (const [name, op] of [
      ["large-objects", "get"],
      ["small-objects", "get"],
      ["head", "head"],
      ["list", "list"],
      ["open-close", "open"],
    ] as const) {
      const requests = requestsOf(planOf(name), 0, 200);
      assert.ok(
        requests.every((request) => request.op === op && request.offset === 0 && request.length === 0),
        name,
      );
    }
  });

  it("mix as warp does: 45 % GET, 30 % STAT, 15 % PUT, and a tenth beside", () => {
    const requests = requestsOf(planOf("mixed"), 0, 40_000);
    for (const [op, share] of [
      ["get", 0.45],
      ["head", 0.3],
      ["put", 0.15],
      ["list", 0.1],
    ] as const) {
      const part = requests.filter((request) => request.op === op).length / requests.length;
      assert.ok(Math.abs(part - share) < 0.01, `${op}: ${part}`);
    }
  });

  it("read 4 KiB at any of an object's places, and 1 MiB after another from start to end", () => {
    const random = requestsOf(planOf("random-get"), 0, 40_000);
    assert.ok(random.every(({ offset, length }) => length === 4 * KIB && offset % length === 0 && offset < 64 * MIB));
    const mean = random.reduce((sum, { offset }) => sum + offset, 0) / random.length;
    near(mean, 32 * MIB, 0.02, "mean place");
    const plan = planOf("sequential-get");
    const sequential = requestsOf(plan, 0, 128);
    for (const object of [0, 1]) {
      const reads = sequential.slice(object * 64, (object + 1) * 64);
      assert.deepEqual(
        reads.map(({ key, offset, length }) => [key, offset, length]),
        Array.from({ length: 64 }, (_, at) => [plan.objects[object]?.key, at * MIB, MIB]),
      );
    }
  });
});

it("no workload is without a test of its figures", () => {
  const here = [
    ...["unet3d", "resnet50", "cosmoflow", "llama3-8b-checkpoint", "llama3-70b-checkpoint"],
    ...["safetensors", "image-folder", "webdataset", "vector-index"],
    ...["tpch", "tpcds", "dashboard", "full-scan", "point-lookup"],
    ...["large-objects", "mixed", "random-get", "sequential-get", "small-objects", "head", "list", "open-close"],
  ];
  assert.deepEqual([...workloadNames()].sort(), here.sort());
});
