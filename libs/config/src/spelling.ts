/** Names of settings as flags and environment variables, and what a misspelt one was meant to be. */

/** dataDir as a flag: --data-dir. */
export function flagOf(key: string): string {
  return `--${words(key).join("-")}`;
}

/** dataDir as an environment variable: RINGLIGHT_DATA_DIR. */
export function envOf(key: string): string {
  return `RINGLIGHT_${words(key).join("_").toUpperCase()}`;
}

function words(key: string): string[] {
  return key
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(" ");
}

/** ` (did you mean "x"?)` for the known name nearest to a misspelt one; "" when none is near. */
export function didYouMean(misspelt: string, known: readonly string[]): string {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(misspelt.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(misspelt.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best === undefined ? "" : ` (did you mean ${best}?)`;
}

/** Levenshtein's distance: insertions, deletions and substitutions. */
function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(previous[j]! + 1, row[j - 1]! + 1, substitution));
    }
    previous = row;
  }
  return previous[b.length]!;
}
