/**
 * What a reader types to find spans: words and conditions, all of which must hold. A word is looked for in the span's name,
 * its service and the values of its attributes; `key=value` and `key!=value` compare an attribute, or the span's own name,
 * service, kind, status or id; `>` and `<` compare numbers. Quotes hold a value with spaces together.
 */

/** One condition, of a filter or of a search. */
export interface FilterTerm {
  /** Undefined for a word. */
  readonly key?: string;
  readonly op: "=" | "!=" | ">" | "<";
  readonly value: string;
}

/** What a filter looks at. */
export interface FilterSubject {
  /** Name, service, kind, status, span id. */
  readonly fields: Readonly<Record<string, string>>;
  readonly attributes: Readonly<Record<string, unknown>>;
}

const TERM = /(?:([\w.\-/]+)(!=|=|>|<))?(?:"((?:[^"\\]|\\.)*)"?|(\S+))/g;

/** Reads what was typed; never fails, since half-typed text is text. */
export function parseFilter(text: string): FilterTerm[] {
  const terms: FilterTerm[] = [];
  for (const [, key, op, quoted, plain] of text.matchAll(TERM)) {
    const value = quoted === undefined ? (plain ?? "") : quoted.replaceAll(/\\(.)/g, "$1");
    if (key !== undefined) terms.push({ key, op: op as FilterTerm["op"], value });
    else if (value !== "") terms.push({ op: "=", value });
  }
  return terms;
}

/** The text of terms, such that reading it gives them again. */
export function writeFilter(terms: readonly FilterTerm[]): string {
  return terms
    .map(({ key, op, value }) => {
      const plain = /^[^\s"=!<>]+$/.test(value) ? value : `"${value.replaceAll(/(["\\])/g, "\\$1")}"`;
      return key === undefined ? plain : `${key}${op}${plain}`;
    })
    .join(" ");
}

const text = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value));

/** Whether a span has all that the terms ask for. */
export function matchesFilter(terms: readonly FilterTerm[], { fields, attributes }: FilterSubject): boolean {
  return terms.every(({ key, op, value }) => {
    if (key === undefined) {
      const wanted = value.toLowerCase();
      for (const name in fields) if (fields[name]!.toLowerCase().includes(wanted)) return true;
      for (const name in attributes) if (text(attributes[name])?.toLowerCase().includes(wanted)) return true;
      return false;
    }
    const found = Object.hasOwn(attributes, key) ? text(attributes[key]) : fields[key];
    if (op === "!=") return found !== value;
    if (found === undefined) return false;
    if (op === "=") return found.toLowerCase() === value.toLowerCase();
    const [left, right] = [Number(found), Number(value)];
    return op === ">" ? left > right : left < right;
  });
}
