/**
 * Compares two keys in the order of their UTF-8 bytes, the order of every S3 listing. JavaScript's own `<` compares
 * UTF-16 units, which puts characters beyond U+FFFF before those of U+E000 to U+FFFF.
 * @returns negative, zero or positive, as for Array.prototype.sort.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const x = a.charCodeAt(index);
    const y = b.charCodeAt(index);
    if (x !== y) return unitRank(x) - unitRank(y);
  }
  return a.length - b.length;
}

/** Moves surrogates above all other UTF-16 units, where their code points belong. */
function unitRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}
