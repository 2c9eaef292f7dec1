/** Rules by path in a YAML file: errors name the line and the field. */
import { formatField, type PolicyRule, RinglightError, readPolicyRules } from "@ringlight/core";
import { LineCounter, parseDocument } from "yaml";

/** Errors that are told at most. */
const MAX_TOLD = 10;

/** Parses a file's text. `from` is named in errors. @throws RL_BAD_REQUEST with a line for each error */
export function parsePolicyFile(text: string, from: string): readonly PolicyRule[] {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const broken = document.errors.map(({ message, pos }) => ({ line: lines.linePos(pos[0]).line, message }));
  if (broken.length > 0) throw refused(from, broken);
  const { rules, problems } = readPolicyRules(document.toJS());
  if (problems.length === 0) return rules;
  const told = problems.map(({ at, message }) => ({
    line: lines.linePos(offsetOf(document, at) ?? 0).line,
    message: `${formatField(at)}${message}`,
  }));
  throw refused(from, told);
}

/** Where the value of a field begins, or what holds the field where the field is not there. */
function offsetOf(document: ReturnType<typeof parseDocument>, at: readonly (string | number)[]): number | undefined {
  for (let depth = at.length; depth >= 0; depth--) {
    const node: unknown = depth === 0 ? document.contents : document.getIn(at.slice(0, depth), true);
    if (typeof node !== "object" || node === null || !("range" in node) || !Array.isArray(node.range)) continue;
    const [offset]: unknown[] = node.range;
    if (typeof offset === "number") return offset;
  }
  return undefined;
}

function refused(
  from: string,
  problems: readonly { readonly line: number; readonly message: string }[],
): RinglightError {
  const told = problems.slice(0, MAX_TOLD).map(({ line, message }) => `${from}:${line}: ${message}`);
  const more = problems.length - told.length;
  return new RinglightError("RL_BAD_REQUEST", [...told, ...(more > 0 ? [`and ${more} more`] : [])].join("\n"));
}
