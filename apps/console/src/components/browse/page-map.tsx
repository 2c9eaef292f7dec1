"use client";
import { formatPlural, formatSize, Swatch } from "@ringlight/ui";
import type { FileDetail } from "../../wire.ts";

/** Cells of the map at most; a larger file has several pages in a cell. */
const CELLS = 240;

/** The cells of the map in which a worker holds something, and how much of them: 0 to 1. */
function filledCells(
  runs: readonly { readonly first: number; readonly last: number }[],
  pageCount: number,
  cells: number,
): { readonly cell: number; readonly share: number }[] {
  const held = new Array<number>(cells).fill(0);
  const perCell = pageCount / cells;
  for (const { first, last } of runs) {
    const from = Math.floor(first / perCell);
    const to = Math.min(cells - 1, Math.floor(last / perCell));
    for (let cell = from; cell <= to; cell++) {
      const overlap = Math.min(last + 1, (cell + 1) * perCell) - Math.max(first, cell * perCell);
      held[cell] = Math.min(1, held[cell]! + overlap / perCell);
    }
  }
  return held.map((share, cell) => ({ cell, share })).filter(({ share }) => share > 0);
}

/** The file from its first page to its last: which worker holds what. */
export function PageMap({ file, colours }: { file: FileDetail; colours: ReadonlyMap<string, string> }) {
  if (file.pageCount === 0) return <p className="text-muted">An empty object has no pages.</p>;
  const cells = Math.min(CELLS, file.pageCount);
  const rows = file.cached.map((row) => ({ ...row, filled: filledCells(row.runs, file.pageCount, cells) }));
  const words = rows.map((row) => `${row.workerId} holds ${formatSize(row.bytes)}`).join(", ");
  return (
    <div className="space-y-1.5">
      <svg
        role="img"
        aria-label={`Pages of the file: ${words || "none is cached"}`}
        viewBox={`0 0 ${cells} ${Math.max(1, rows.length) * 10}`}
        preserveAspectRatio="none"
        className="w-full rounded bg-raised ring-1 ring-line"
        style={{ height: Math.max(1, rows.length) * 14 }}
      >
        {rows.map((row, line) =>
          row.filled.map(({ cell, share }) => (
            <rect
              key={`${row.workerId} ${cell}`}
              x={cell}
              y={line * 10 + 0.5}
              width={cells > 80 ? 1.02 : 0.92}
              height={9}
              fill={colours.get(row.workerId) ?? "var(--rl-subtle)"}
              opacity={0.35 + share * 0.65}
            />
          )),
        )}
      </svg>
      <div className="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted tabular-nums">
        <span>
          {formatPlural(file.pageCount, "page")} of {formatSize(file.pageBytes)}
        </span>
        {rows.map((row) => (
          <span key={row.workerId} className="inline-flex items-center gap-1.5">
            <Swatch colour={colours.get(row.workerId) ?? "var(--rl-subtle)"} />
            {row.workerId} {formatSize(row.bytes)}
          </span>
        ))}
      </div>
    </div>
  );
}
