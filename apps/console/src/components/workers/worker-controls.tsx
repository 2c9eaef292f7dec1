"use client";
/** What can be asked of a worker while it runs: its log level, and where its processor time goes. */
import { CopyCommand, ErrorState, Icon, Panel } from "@ringlight/ui";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import Link from "next/link";
import { useId, useState } from "react";
import { getJson, sendForBlob, sendJson } from "../../state/fetch-json.ts";
import type { ErrorBody, LogLevelView } from "../../wire.ts";
import { saveFile } from "../chart-export.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;

/** The panel. */
export function WorkerControls({ id, live }: { id: string; live: boolean }) {
  const field = useId();
  const client = useQueryClient();
  const address = `/api/workers/${encodeURIComponent(id)}`;
  const queryKey = ["log-level", id];
  const level = useQuery<LogLevelView, ErrorBody>({
    queryKey,
    enabled: live,
    queryFn: ({ signal }) => getJson(`${address}/log-level`, signal),
  });
  const [seconds, setSeconds] = useState(10);
  const [busy, setBusy] = useState<"level" | "profile" | undefined>();
  const [error, setError] = useState<ErrorBody | undefined>();
  const [said, setSaid] = useState("");
  const act = async (what: "level" | "profile", work: () => Promise<string>) => {
    setBusy(what);
    setError(undefined);
    setSaid("");
    try {
      setSaid(await work());
    } catch (failure) {
      setError(failure as ErrorBody);
    } finally {
      setBusy(undefined);
    }
  };
  const change = (next: string) =>
    act("level", async () => {
      const answer = await sendJson<LogLevelView>("POST", `${address}/log-level`, { level: next });
      client.setQueryData(queryKey, answer);
      return `The worker logs ${answer.level} and up now.`;
    });
  const profile = () =>
    act("profile", async () => {
      const file = await sendForBlob(`${address}/profile`, { seconds });
      saveFile(`${id}.cpuprofile`, file);
      return "The profile was saved; the developer tools of browsers and editors open it.";
    });
  const changed = level.data !== undefined && level.data.level !== level.data.configured;
  return (
    <Panel title="While it runs" hint="until the worker's end; nothing is written to its settings">
      <div className="grid gap-5 sm:grid-cols-2">
        <div>
          <label htmlFor={`${field}-level`} className="text-xs font-medium text-muted">
            Log level
          </label>
          <div className="mt-1 flex items-center gap-2">
            <select
              id={`${field}-level`}
              className="rl-input w-32!"
              value={level.data?.level ?? ""}
              disabled={!live || !level.data || busy !== undefined}
              onChange={(event) => void change(event.target.value)}
            >
              {level.data ? null : <option value="">not known</option>}
              {LEVELS.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
            {changed ? (
              <button type="button" className="rl-button" disabled={busy !== undefined} onClick={() => void change("")}>
                Back to {level.data?.configured}
              </button>
            ) : null}
            <Link className="rl-link text-[13px]" href={`/logs?instance=${encodeURIComponent(id)}&tail=on`}>
              Follow its log
            </Link>
          </div>
          <div className="mt-2 flex">
            <CopyCommand command={`ringlight config log-level ${id} debug`} />
          </div>
        </div>
        <div>
          <label htmlFor={`${field}-seconds`} className="text-xs font-medium text-muted">
            CPU profile, seconds
          </label>
          <div className="mt-1 flex items-center gap-2">
            <input
              id={`${field}-seconds`}
              type="number"
              min={1}
              max={60}
              className="rl-input w-20! tabular-nums"
              value={seconds}
              disabled={busy !== undefined}
              onChange={(event) => setSeconds(Math.max(1, Math.min(60, Math.round(Number(event.target.value) || 1))))}
            />
            <button
              type="button"
              className="rl-button"
              disabled={!live || busy !== undefined}
              onClick={() => void profile()}
            >
              <Icon name="download" size={14} />
              {busy === "profile" ? `Sampling for ${seconds} s …` : "Take and save"}
            </button>
          </div>
          <div className="mt-2 flex">
            <CopyCommand command={`ringlight config profile ${id} --seconds ${seconds}`} />
          </div>
        </div>
      </div>
      <p role="status" className="mt-2 text-[13px] text-muted" data-testid="control-said">
        {said}
      </p>
      {error ? <ErrorState error={error} /> : null}
      {level.error && live ? <ErrorState error={level.error} onRetry={() => void level.refetch()} /> : null}
    </Panel>
  );
}
