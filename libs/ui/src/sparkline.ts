/** SVG paths of a small chart without axes. */

/** Line and area of the values over a box; gaps break the line. Undefined when there are fewer than two values. */
export function sparklinePath(
  values: readonly (number | null)[],
  width: number,
  height: number,
): { line: string; area: string } | undefined {
  const known = values.filter((value): value is number => value !== null);
  if (known.length < 2) return undefined;
  const top = Math.max(...known, 0);
  const scale = top > 0 ? (height - 3) / top : 0;
  const step = values.length > 1 ? width / (values.length - 1) : width;
  let line = "";
  let area = "";
  let run: string[] = [];
  let runStart = 0;
  const flush = (endIndex: number) => {
    if (run.length > 1) {
      line += `M${run.join("L")}`;
      area += `M${(runStart * step).toFixed(1)} ${height}L${run.join("L")}L${(endIndex * step).toFixed(1)} ${height}Z`;
    }
    run = [];
  };
  values.forEach((value, index) => {
    if (value === null) {
      flush(index - 1);
      return;
    }
    if (run.length === 0) runStart = index;
    run.push(`${(index * step).toFixed(1)} ${(height - 1.5 - value * scale).toFixed(1)}`);
  });
  flush(values.length - 1);
  return { line, area };
}
