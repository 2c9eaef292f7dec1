"use client";
import {
  CopyCommand,
  DataAge,
  EmptyState,
  ErrorState,
  Icon,
  LoadingState,
  PartialNote,
  StaleNote,
} from "@ringlight/ui";
import { useQuery } from "@tanstack/react-query";
import { useSearchParams } from "next/navigation";
import { type FormEvent, useEffect, useState } from "react";
import { getJson } from "../../state/fetch-json.ts";
import { useCluster, useLive, useNow } from "../../state/live.tsx";
import { shellWord } from "../../state/shell-word.ts";
import type { ErrorBody } from "../../wire.ts";
import type { ExplainView } from "../../wire-explain.ts";
import { PageHeader } from "../page-header.tsx";
import {
  Accesses,
  CachedPages,
  FoundPanel,
  NextRead,
  OwnersByEpoch,
  Place,
  Rules,
  StoredTraces,
} from "./explain-parts.tsx";

const EVERY_MS = 2_000;

/** Why a path is where it is, what is cached of it, and what its last reads met; for a path or the id of a read. */
export function ExplainPage() {
  const { snapshot } = useCluster();
  const { paused } = useLive();
  const now = useNow(1000);
  const parameters = useSearchParams();
  const path = parameters.get("path") ?? "";
  const id = parameters.get("id") ?? "";
  const asked = id || path;
  // A change of who is alive is seen at once, not at the next turn.
  const alive = snapshot?.workers.map((worker) => `${worker.id}:${worker.state}`).join() ?? "";
  const query = useQuery<ExplainView, ErrorBody>({
    queryKey: ["explain", path, id, snapshot?.epoch ?? 0, alive],
    queryFn: ({ signal }) => getJson(`/api/explain?${new URLSearchParams(id ? { id } : { path })}`, signal),
    enabled: asked !== "",
    placeholderData: (before) => (before?.path === path || before?.found?.id === id ? before : undefined),
    refetchInterval: paused ? false : EVERY_MS,
  });
  const view = query.data;
  const age = now === undefined || query.dataUpdatedAt === 0 ? undefined : now - query.dataUpdatedAt;
  return (
    <>
      <PageHeader title="Explain" lead="Where a path lives, what is cached of it, and why its reads hit or missed" />
      <Ask key={asked} asked={asked} />
      {asked === "" ? (
        <EmptyState title="Ask about a path, or about one read" command="ringlight explain /<mount>/<key>">
          A read is named by its trace id (in the <code>Server-Timing</code> header of every answer) or its request id (
          <code>x-amz-request-id</code>).
        </EmptyState>
      ) : query.error && !view ? (
        <ErrorState error={query.error} onRetry={() => void query.refetch()} />
      ) : !view ? (
        <LoadingState what={asked} rows={8} />
      ) : (
        <div className="space-y-4" data-testid="explanation">
          <div className="flex flex-wrap items-center gap-x-4 gap-y-1">
            <h2 className="min-w-0 font-mono text-sm font-medium break-all">{view.path}</h2>
            <span className="ml-auto flex items-center gap-3">
              <PartialNote answered={view.file.answered} asked={view.file.asked} />
              {query.error && age !== undefined ? (
                <StaleNote ageMs={age} why="The last question failed" />
              ) : (
                <DataAge ageMs={age} />
              )}
            </span>
          </div>
          {view.found ? <FoundPanel found={view.found} /> : null}
          <NextRead file={view.file} />
          <div className="grid gap-4 xl:grid-cols-2">
            <Place file={view.file} />
            <OwnersByEpoch path={view.path} file={view.file} />
          </div>
          <Rules file={view.file} />
          <CachedPages file={view.file} />
          <Accesses file={view.file} highlight={view.found?.traceId} />
          <StoredTraces view={view} />
          <div className="flex flex-wrap gap-2">
            <CopyCommand command={`ringlight explain ${shellWord(asked)}`} />
            <CopyCommand command={`ringlight load ${shellWord(view.path)}`} />
          </div>
        </div>
      )}
    </>
  );
}

/** Takes a path or an id, and puts it into the URL. */
function Ask({ asked }: { asked: string }) {
  const [text, setText] = useState(asked);
  useEffect(() => setText(asked), [asked]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wanted = text.trim();
    const url = new URL(window.location.href);
    url.search = "";
    if (wanted !== "") url.searchParams.set(/^(?:[0-9a-f]{16}|[0-9a-f]{32})$/i.test(wanted) ? "id" : "path", wanted);
    if (url.href !== window.location.href) window.history.pushState(null, "", url);
  };
  return (
    <form onSubmit={submit} className="mb-4 flex gap-2">
      <label className="sr-only" htmlFor="explain-what">
        Path, trace id or request id
      </label>
      <input
        id="explain-what"
        className="rl-input font-mono"
        placeholder="/mount/key, a trace id, or a request id"
        value={text}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
      />
      <button type="submit" className="rl-button rl-button-primary">
        <Icon name="explain" size={14} />
        Explain
      </button>
    </form>
  );
}
