/** Where commands print. Standard output is theirs; everything for people alone beside it goes to standard error. */

/** Prints a line, or JSON of the value when that is asked for. */
export function print(json: boolean | undefined, value: unknown, text: () => string): void {
  process.stdout.write(`${json ? JSON.stringify(value) : text()}\n`);
}

/** Says something to people on standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Options of every command. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly endpoint?: string;
  readonly tokenFile?: string;
  readonly data?: string;
}

/** "2 of 3 workers answered", when not all did. */
export function answeredNote({ answered, workers }: { readonly answered: number; readonly workers: number }): void {
  if (answered < workers) note(`${answered} of ${workers} workers answered.`);
}
