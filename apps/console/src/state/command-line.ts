/** The lines of the command line that do what a page shows. */
import { shellWord } from "./shell-word.ts";

/** `ringlight <command> --name value ...`; a name that stands several times is written several times. */
export function commandLine(command: string, fields: URLSearchParams): string {
  const words = [...fields].map(([name, value]) => ` --${name} ${shellWord(value)}`);
  return `ringlight ${command}${words.join("")}`;
}
