"use client";
import { type ReactNode, useState } from "react";
import { formatCount } from "./format.ts";
import { ScrollRegion } from "./scroll-region.tsx";

/** Rows that are drawn at first, and with each press of the button below: thousands would hold up the page. */
const ROWS = 100;

/** One column of a table. */
export interface Column<Row> {
  readonly id: string;
  readonly title: ReactNode;
  /** Numbers are set to the right, in tabular numerals. */
  readonly numeric?: boolean;
  readonly cell: (row: Row) => ReactNode;
  readonly className?: string;
}

/** A dense table. It scrolls sideways within its frame where the page is narrow; the first column names the row. */
export function DataTable<Row>({
  caption,
  columns,
  rows,
  rowKey,
  rowProps,
  maxHeight,
  compact = false,
}: {
  /** What the table holds, for those who hear it. */
  caption: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  rowKey: (row: Row) => string;
  rowProps?: (
    row: Row,
  ) => Record<`data-${string}`, string> & { className?: string; onMouseEnter?: () => void; onMouseLeave?: () => void };
  maxHeight?: number;
  /** Less air between columns. */
  compact?: boolean;
}) {
  const gap = compact ? "px-1.5" : "px-3";
  const [limit, setLimit] = useState(ROWS);
  return (
    <ScrollRegion label={caption} className="relative overflow-auto" style={{ maxHeight }}>
      <table className="w-full border-collapse text-[13px]">
        <caption className="sr-only">{caption}</caption>
        <thead className="sticky top-0 z-10 bg-surface">
          <tr className="border-b border-line">
            {columns.map((column) => (
              <th
                key={column.id}
                scope="col"
                className={`${gap} py-1.5 text-xs font-medium whitespace-nowrap text-muted first:pl-4 last:pr-4 ${
                  column.numeric ? "text-right" : "text-left"
                } ${column.className ?? ""}`}
              >
                {column.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rows.slice(0, limit).map((row) => {
            const { className = "", ...rest } = rowProps?.(row) ?? {};
            return (
              <tr
                key={rowKey(row)}
                {...rest}
                className={`transition-[background-color] hover:bg-raised/60 ${className}`}
              >
                {columns.map((column, index) => {
                  const style = `${gap} py-1.5 align-middle first:pl-4 last:pr-4 ${
                    column.numeric ? "text-right whitespace-nowrap tabular-nums" : ""
                  } ${column.className ?? ""}`;
                  return index === 0 ? (
                    <th key={column.id} scope="row" className={`${style} text-left font-normal`}>
                      {column.cell(row)}
                    </th>
                  ) : (
                    <td key={column.id} className={style}>
                      {column.cell(row)}
                    </td>
                  );
                })}
              </tr>
            );
          })}
        </tbody>
      </table>
      {rows.length > limit ? (
        <div className="flex items-center gap-3 border-t border-line px-4 py-2 text-xs text-subtle tabular-nums">
          <button type="button" className="rl-button" onClick={() => setLimit(limit + ROWS)}>
            Show {formatCount(Math.min(ROWS, rows.length - limit))} more
          </button>
          {formatCount(limit)} of {formatCount(rows.length)} rows
        </div>
      ) : null}
    </ScrollRegion>
  );
}
