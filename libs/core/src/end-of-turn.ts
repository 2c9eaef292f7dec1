/**
 * What small sends of one turn of the event loop have in common: they go out together at its end. Each send wakes whoever
 * waits for it on another core, and the first of several soon after each other wakes it for all of them; sent one by one
 * between other work, each of them costs a waking, which is more than the sending itself.
 */

/** From so many sends in a turn on a turn that holds them back costs less than they do one by one. */
const COMPANY = 3;
/** One in so many sends is put off to see how many others there are. */
const PROBE_EVERY = 32;

/** Has something to send. */
export interface TurnSender {
  /** Sends it. Must not throw. */
  sendNow(): void;
}

let waiting: TurnSender[] = [];
/** How many went out together the last time. */
let lastCount = 0;
let asked = 0;

/** Has the sender send at the end of this turn, behind whatever is read in it. */
export function sendAtEndOfTurn(sender: TurnSender): void {
  if (waiting.push(sender) === 1) setImmediate(endTurn);
}

/** The same where other sends are expected in this turn; false, and the sender is to send by itself, where they are not. */
export function sendInCompany(sender: TurnSender): boolean {
  if (lastCount < COMPANY && waiting.length === 0 && ++asked % PROBE_EVERY !== 0) return false;
  sendAtEndOfTurn(sender);
  return true;
}

/** Sends what waits for the end of the turn. For work that is put off to it, too, and would hold the sends up. */
export function endTurn(): void {
  if (waiting.length === 0) return;
  const senders = waiting;
  waiting = [];
  lastCount = senders.length;
  for (const sender of senders) sender.sendNow();
}
