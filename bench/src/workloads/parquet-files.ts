/**
 * The tables' files: real Parquet, written by hyparquet-writer in row groups with column statistics, Snappy pages of 1 MiB and
 * dictionaries. Rows are in the order of their dates, as tables that grow day by day are; values are seeded, so that the same
 * description makes the same bytes.
 */
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { RandomStream } from "./random.ts";

const DAY_MS = 86_400_000;
const FIRST_DAY = Date.UTC(1992, 0, 1) / DAY_MS;
const DAYS = 2526;
const MODES = ["AIR", "FOB", "MAIL", "RAIL", "REG AIR", "SHIP", "TRUCK"];
const INSTRUCTIONS = ["COLLECT COD", "DELIVER IN PERSON", "NONE", "TAKE BACK RETURN"];
const PRIORITIES = ["1-URGENT", "2-HIGH", "3-MEDIUM", "4-NOT SPECIFIED", "5-LOW"];
const WORDS = ["carefully", "final", "deposits", "sleep", "furiously", "quick", "ideas", "among", "the", "pending"];

/** A schema that the harness writes. */
export type TableSchema = "lineitem" | "orders" | "store-sales";

/** What a file holds: rows from `firstRow` on, of a table of `tableRows`. */
export interface TablePart {
  readonly schema: TableSchema;
  readonly seed: number;
  readonly firstRow: number;
  readonly rows: number;
  readonly tableRows: number;
  readonly rowsPerGroup: number;
}

/** Writes the file's bytes. */
export function writeTable(part: TablePart): ArrayBuffer {
  const columns = { lineitem, orders, "store-sales": storeSales }[part.schema](new Columns(part));
  return parquetWriteBuffer({
    columnData: columns,
    rowGroupSize: part.rowsPerGroup,
    pageSize: 1024 * 1024,
    createdBy: "ringlight bench",
  });
}

/** Makes columns of one part; each has a stream of its own. */
class Columns {
  readonly #part: TablePart;

  constructor(part: TablePart) {
    this.#part = part;
  }

  #stream(name: string): RandomStream {
    return new RandomStream(this.#part.seed, `${this.#part.schema}/${this.#part.firstRow}/${name}`);
  }

  whole(name: string, value: (random: RandomStream, row: number, share: number) => number): ColumnSource {
    const { rows, firstRow, tableRows } = this.#part;
    const random = this.#stream(name);
    const data = new Int32Array(rows);
    for (let row = 0; row < rows; row++) data[row] = value(random, firstRow + row, (firstRow + row) / tableRows);
    return { name, data, type: "INT32" };
  }

  decimal(name: string, value: (random: RandomStream) => number): ColumnSource {
    const { rows } = this.#part;
    const random = this.#stream(name);
    const data = new Float64Array(rows);
    for (let row = 0; row < rows; row++) data[row] = Math.round(value(random) * 100) / 100;
    return { name, data, type: "DOUBLE" };
  }

  text(name: string, value: (random: RandomStream) => string): ColumnSource {
    const random = this.#stream(name);
    return { name, data: Array.from({ length: this.#part.rows }, () => value(random)), type: "STRING" };
  }
}

const oneOf = (values: readonly string[]) => (random: RandomStream) => values[random.below(values.length)]!;
const day = (slackDays: number) => (random: RandomStream, _row: number, share: number) =>
  FIRST_DAY + Math.floor(share * DAYS) + random.below(slackDays);
const PHRASES = WORDS.flatMap((first) =>
  WORDS.flatMap((second) => WORDS.map((third) => `${first} ${second} ${third}`)),
);
const comment = (random: RandomStream) => `${oneOf(PHRASES)(random)} ${random.below(1_000_000)}`;

function lineitem(make: Columns): ColumnSource[] {
  return [
    make.whole("l_orderkey", (_random, row) => (row >> 2) * 4 + 1),
    make.whole("l_partkey", (random) => 1 + random.below(200_000)),
    make.whole("l_suppkey", (random) => 1 + random.below(10_000)),
    make.whole("l_linenumber", (_random, row) => 1 + (row & 3)),
    make.decimal("l_quantity", (random) => 1 + random.below(50)),
    make.decimal("l_extendedprice", (random) => 900 + random.next() * 104_000),
    make.decimal("l_discount", (random) => random.below(11) / 100),
    make.decimal("l_tax", (random) => random.below(9) / 100),
    make.text("l_returnflag", oneOf(["A", "N", "R"])),
    make.text("l_linestatus", oneOf(["F", "O"])),
    make.whole("l_shipdate", day(7)),
    make.whole("l_commitdate", day(60)),
    make.whole("l_receiptdate", day(30)),
    make.text("l_shipinstruct", oneOf(INSTRUCTIONS)),
    make.text("l_shipmode", oneOf(MODES)),
    make.text("l_comment", comment),
  ];
}

function orders(make: Columns): ColumnSource[] {
  return [
    make.whole("o_orderkey", (_random, row) => row * 4 + 1),
    make.whole("o_custkey", (random) => 1 + random.below(150_000)),
    make.text("o_orderstatus", oneOf(["F", "O", "P"])),
    make.decimal("o_totalprice", (random) => 850 + random.next() * 550_000),
    make.whole("o_orderdate", day(1)),
    make.text("o_orderpriority", oneOf(PRIORITIES)),
    make.whole("o_clerk", (random) => 1 + random.below(1000)),
    make.whole("o_shippriority", () => 0),
    make.text("o_comment", comment),
  ];
}

function storeSales(make: Columns): ColumnSource[] {
  const price = (greatest: number) => (random: RandomStream) => random.next() * greatest;
  return [
    make.whole("ss_sold_date_sk", (random, row, share) => 2_450_816 - FIRST_DAY + day(1)(random, row, share)),
    make.whole("ss_sold_time_sk", (random) => 28_800 + random.below(46_800)),
    make.whole("ss_item_sk", (random) => 1 + random.below(18_000)),
    make.whole("ss_customer_sk", (random) => 1 + random.below(100_000)),
    make.whole("ss_cdemo_sk", (random) => 1 + random.below(1_920_800)),
    make.whole("ss_hdemo_sk", (random) => 1 + random.below(7200)),
    make.whole("ss_store_sk", (random) => 1 + random.below(12)),
    make.whole("ss_promo_sk", (random) => 1 + random.below(300)),
    make.whole("ss_ticket_number", (_random, row) => 1 + Math.floor(row / 12)),
    make.whole("ss_quantity", (random) => 1 + random.below(100)),
    make.decimal("ss_list_price", price(200)),
    make.decimal("ss_sales_price", price(200)),
    make.decimal("ss_ext_sales_price", price(20_000)),
    make.decimal("ss_coupon_amt", (random) => (random.below(5) === 0 ? random.next() * 5000 : 0)),
    make.decimal("ss_net_paid", price(20_000)),
    make.decimal("ss_net_profit", price(10_000)),
  ];
}
