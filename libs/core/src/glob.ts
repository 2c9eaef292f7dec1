/** Patterns over keys: `*` and `?` within a path element, `**` across elements, `[a-z]`, `{a,b}`; a backslash takes a character as it is. */
import { RinglightError } from "./errors.ts";

const SPECIAL = /[*?[{]/;

/** True when the text is a pattern and not a plain path. */
export function isGlob(text: string): boolean {
  return SPECIAL.test(text.replaceAll(/\\./g, ""));
}

/** Takes the backslashes out of a plain path. */
export function plain(text: string): string {
  return text.replaceAll(/\\(.)/g, "$1");
}

/** What all keys that match begin with: as much of a store as has to be listed. */
export function globPrefix(pattern: string): string {
  let prefix = "";
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    if (SPECIAL.test(char)) break;
    if (char === "\\") at++;
    prefix += pattern[at] ?? "";
  }
  return prefix;
}

/** Compiles a pattern. @throws RL_BAD_REQUEST for a bracket or brace without an end */
export function globMatcher(pattern: string): (key: string) => boolean {
  const expression = new RegExp(`^${translate(pattern)}$`, "su");
  return (key) => expression.test(key);
}

function translate(pattern: string): string {
  let out = "";
  let braces = 0;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    if (char === "\\") out += escaped(pattern[++at] ?? "\\");
    else if (char === "*" && pattern[at + 1] === "*") {
      at++;
      // "**/" also stands for no element at all: a/**/b matches a/b.
      if (pattern[at + 1] === "/") {
        at++;
        out += "(?:.*/)?";
      } else out += ".*";
    } else if (char === "*") out += "[^/]*";
    else if (char === "?") out += "[^/]";
    else if (char === "[") {
      const end = pattern.indexOf("]", at + 2);
      if (end === -1) throw unclosed(pattern, "[");
      const set = pattern.slice(at + 1, end);
      const negated = set.startsWith("!") || set.startsWith("^");
      const members = set.slice(negated ? 1 : 0).replaceAll(/[\\\]^[&~|!#$%*+,.:;<=>?@`(){}]/g, "\\$&");
      out += negated ? `[^/${members}]` : `[${members}]`;
      at = end;
    } else if (char === "{") {
      braces++;
      out += "(?:";
    } else if (char === "}" && braces > 0) {
      braces--;
      out += ")";
    } else if (char === "," && braces > 0) out += "|";
    else out += escaped(char);
  }
  if (braces > 0) throw unclosed(pattern, "{");
  return out;
}

function escaped(char: string): string {
  return char.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}

function unclosed(pattern: string, bracket: string): RinglightError {
  return new RinglightError(
    "RL_BAD_REQUEST",
    `the pattern "${pattern}" has a "${bracket}" without an end; write "\\${bracket}" for the character itself`,
  );
}
