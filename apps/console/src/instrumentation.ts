/** Runs once when the server starts: the observer begins to watch before the first page is asked for. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== "nodejs") return;
  const { runningConsole } = await import("./server/console.ts");
  await runningConsole().catch(() => {});
}
