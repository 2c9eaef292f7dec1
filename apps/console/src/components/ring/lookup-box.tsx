"use client";
import { CopyCommand, formatCount, Icon, Panel, Swatch } from "@ringlight/ui";
import Link from "next/link";
import { browseHref } from "../../state/browse-href.ts";
import { shellWord } from "../../state/shell-word.ts";
import type { ClusterSnapshot } from "../../wire.ts";

/** Where a path lives. */
export interface Lookup {
  readonly arc: number;
  readonly owners: readonly string[];
}

/** Path in, arc and owners out; computed here, by the code that routes. */
export function LookupBox({
  path,
  onPath,
  found,
  snapshot,
  colours,
}: {
  path: string;
  onPath: (path: string) => void;
  found: Lookup | undefined;
  snapshot: ClusterSnapshot;
  colours: ReadonlyMap<string, string>;
}) {
  const example = `/${snapshot.mounts[0]?.record.name ?? "mount"}/some/key`;
  const unknownMount = found !== undefined && !snapshot.mounts.some(({ record }) => path.split("/")[1] === record.name);
  return (
    <Panel title="Where does a path live?" hint="computed in this browser by libs/ring">
      <label className="relative block">
        <span className="sr-only">Path</span>
        <Icon name="search" size={15} className="pointer-events-none absolute top-2 left-2.5 text-subtle" />
        <input
          className="rl-input pl-8! font-mono"
          value={path}
          placeholder={example}
          spellCheck={false}
          autoComplete="off"
          aria-describedby="lookup-answer"
          onChange={(event) => onPath(event.target.value)}
        />
      </label>
      <div id="lookup-answer" aria-live="polite" className="mt-3 text-[13px]" data-testid="lookup-answer">
        {found ? (
          <div className="space-y-2.5">
            <p className="text-muted">
              Arc <span className="font-medium text-text tabular-nums">{formatCount(found.arc)}</span>, marked on the
              ring. Owners in order of preference:
            </p>
            <ol className="flex flex-wrap gap-2">
              {found.owners.map((id, index) => {
                const state = snapshot.workers.find((worker) => worker.id === id)?.state;
                return (
                  <li
                    key={id}
                    className="flex items-center gap-2 rounded-md border border-line bg-raised px-2.5 py-1 text-[13px]"
                  >
                    <span className="text-xs text-subtle tabular-nums">{index + 1}</span>
                    <Swatch colour={colours.get(id) ?? ""} hatched={state === "down"} />
                    <span className={index === 0 ? "font-semibold" : ""}>{id}</span>
                    {index === 0 ? <span className="text-xs text-subtle">owner</span> : null}
                    {state === "down" ? <span className="text-xs font-medium text-bad">down</span> : null}
                  </li>
                );
              })}
            </ol>
            {unknownMount ? (
              <p className="text-warn">No mount of that name exists; this is where it would live.</p>
            ) : null}
            <div className="flex flex-wrap items-center gap-3">
              <CopyCommand command={`ringlight explain ${shellWord(path)}`} />
              {unknownMount ? null : (
                <Link className="rl-link" href={browseHref(path.slice(0, path.lastIndexOf("/")), path)}>
                  Open in Browse
                </Link>
              )}
            </div>
          </div>
        ) : (
          <p className="text-subtle">
            {path === ""
              ? "Type a path to see its arc and its owners."
              : "A path begins with a slash and a mount: /mount/key"}
          </p>
        )}
      </div>
    </Panel>
  );
}
