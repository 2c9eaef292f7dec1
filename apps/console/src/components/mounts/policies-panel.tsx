"use client";
import { type PolicyRule, writtenRule } from "@ringlight/core";
import { CopyCommand, DataTable, EmptyState, formatSize, Panel } from "@ringlight/ui";
import { useTick } from "../../state/live.tsx";

/** The rules by path, in the order in which they are asked. They are changed on the command line, from a file. */
export function PoliciesPanel({ policies }: { policies: readonly PolicyRule[] }) {
  const usage = useTick()?.rules;
  return (
    <Panel title="Rules by path" hint={policies.length === 1 ? "1 rule" : `${policies.length} rules`} flush>
      {policies.length === 0 ? (
        <EmptyState title="There are no rules" command="ringlight policy apply rules.yaml">
          Rules say how long pages of a path stay, which leave first, which never, and how much room they have.
        </EmptyState>
      ) : (
        <>
          <DataTable
            caption="Rules by path; of ttl, pin and priority the first that matches decides"
            rows={policies.map((policy) => ({ policy, written: writtenRule(policy), held: usage?.[policy.name] }))}
            rowKey={({ policy }) => policy.name}
            rowProps={({ policy }) => ({ "data-testid": `policy-row-${policy.name}` })}
            columns={[
              { id: "name", title: "Rule", cell: ({ policy }) => policy.name },
              {
                id: "path",
                title: "Path",
                cell: ({ policy }) => <span className="font-mono text-xs break-all">{policy.path}</span>,
              },
              { id: "ttl", title: "TTL", cell: ({ written }) => written.ttl ?? NOTHING },
              { id: "pin", title: "Pin", cell: ({ policy }) => pinWords(policy.pin) },
              { id: "priority", title: "Priority", cell: ({ written }) => written.priority ?? NOTHING },
              { id: "quota", title: "Quota", numeric: true, cell: ({ written }) => written.quota ?? NOTHING },
              {
                id: "bytes",
                title: "In the cache",
                numeric: true,
                cell: ({ held }) =>
                  held ? `${formatSize(held.bytes)} in ${held.pages.toLocaleString("en-US")} pages` : NOTHING,
              },
            ]}
          />
          <div className="flex flex-wrap gap-2 px-4 py-2.5">
            <CopyCommand command="ringlight policy ls" />
            <CopyCommand command="ringlight policy ls --yaml > rules.yaml" />
            <CopyCommand command="ringlight policy apply rules.yaml" />
          </div>
        </>
      )}
    </Panel>
  );
}

const NOTHING = "–";

function pinWords(pin: boolean | undefined): string {
  if (pin === undefined) return NOTHING;
  return pin ? "kept" : "exempt";
}
