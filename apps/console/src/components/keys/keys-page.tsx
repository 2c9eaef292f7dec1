"use client";
import { Badge, CopyCommand, DataTable, EmptyState, ErrorState, Icon, LoadingState, Panel } from "@ringlight/ui";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getJson, sendJson } from "../../state/fetch-json.ts";
import { useUrlState } from "../../state/url-state.ts";
import type { AccessKeyView, ErrorBody, NewSecretView } from "../../wire.ts";
import { PageHeader } from "../page-header.tsx";
import { KeyForm } from "./key-form.tsx";
import { NewSecret } from "./new-secret.tsx";

interface Keys {
  readonly keys: readonly AccessKeyView[];
  readonly changeable: boolean;
}

/** What is asked of a key. */
export interface KeyRequest {
  readonly action: "add" | "rotate" | "policy" | "enable" | "disable" | "remove";
  readonly name: string;
  readonly policy?: string;
}

/** How often the keys are asked for, milliseconds: others may change them as well. */
const REFRESH_MS = 10_000;
/** Until keys that could not be read are asked for again. */
const RECOVER_MS = 3_000;

/** The access keys of S3 clients: who has one, what it may do, and how to change that. */
export function KeysPage() {
  const [editing, setEditing] = useUrlState("edit", "", { push: true });
  const client = useQueryClient();
  const keys = useQuery<Keys, ErrorBody>({
    queryKey: ["keys"],
    queryFn: ({ signal }) => getJson<Keys>("/api/keys", signal),
    refetchInterval: ({ state }) => (state.status === "error" ? RECOVER_MS : REFRESH_MS),
  });
  const change = useMutation<{ secret: NewSecretView | null }, ErrorBody, KeyRequest>({
    mutationFn: (request) => sendJson("POST", "/api/keys", request),
    onSuccess: () => {
      setEditing("");
      void client.invalidateQueries({ queryKey: ["keys"] });
    },
  });
  const { data, error } = keys;
  const edited = data?.keys.find(({ accessKeyId }) => accessKeyId === editing);
  const isAdding = editing === "new";
  return (
    <>
      <PageHeader title="Access keys">
        {data?.changeable === true ? (
          <button type="button" className="rl-button rl-button-primary" onClick={() => setEditing("new")}>
            <Icon name="plus" size={15} />
            Add key
          </button>
        ) : null}
      </PageHeader>
      {error && data === undefined ? <ErrorState error={error} onRetry={() => void keys.refetch()} /> : null}
      {keys.isPending ? <LoadingState what="the access keys" /> : null}
      <div className="space-y-4">
        {change.data?.secret ? <NewSecret secret={change.data.secret} onClose={() => change.reset()} /> : null}
        {data?.changeable === true && (isAdding || edited) ? (
          <KeyForm
            key={editing}
            known={edited}
            pending={change.isPending}
            error={change.error}
            onSend={(request) => change.mutate(request)}
            onClose={() => setEditing("")}
          />
        ) : null}
        {data ? (
          <Panel
            title="S3 clients"
            hint={data.keys.length === 1 ? "1 key beside the root key" : `${data.keys.length} keys beside the root key`}
            flush
          >
            {change.error && !isAdding && !edited ? (
              <ErrorState inset error={change.error} onRetry={() => change.reset()} />
            ) : null}
            {data.keys.length === 0 ? (
              <EmptyState title="Only the root key" command="ringlight key add --user name">
                The root key stands in the credentials file and may do everything. Keys that are added here have a user
                and a policy, and can be rotated while everybody works.
              </EmptyState>
            ) : (
              <KeyTable
                keys={data.keys}
                changeable={data.changeable}
                pending={change.isPending}
                onEdit={setEditing}
                onChange={(request) => change.mutate(request)}
              />
            )}
            {data.changeable ? null : (
              <p className="px-4 py-2.5 text-[13px] text-muted">
                This console listens to other machines and has no log-in, so that it changes no keys.
              </p>
            )}
            {data.keys.length > 0 || !data.changeable ? (
              <div className="px-4 py-2.5">
                <CopyCommand command="ringlight key ls" />
              </div>
            ) : null}
          </Panel>
        ) : null}
      </div>
    </>
  );
}

function KeyTable(props: {
  readonly keys: readonly AccessKeyView[];
  readonly changeable: boolean;
  readonly pending: boolean;
  readonly onEdit: (accessKeyId: string) => void;
  readonly onChange: (request: KeyRequest) => void;
}) {
  const { changeable, pending, onEdit, onChange } = props;
  return (
    <DataTable
      caption="Access keys"
      rows={props.keys}
      rowKey={({ accessKeyId }) => accessKeyId}
      rowProps={({ user }) => ({ "data-testid": `key-row-${user}` })}
      columns={[
        { id: "user", title: "User", cell: ({ user }) => user },
        {
          id: "key",
          title: "Key",
          cell: ({ accessKeyId }) => <span className="font-mono text-xs break-all">{accessKeyId}</span>,
        },
        {
          id: "state",
          title: "State",
          cell: ({ disabled }) => <Badge tone={disabled ? "idle" : "ok"}>{disabled ? "disabled" : "active"}</Badge>,
        },
        {
          id: "policy",
          title: "May do",
          cell: ({ policy }) => (policy === "" ? "everything" : "what its policy says"),
        },
        {
          id: "actions",
          title: <span className="sr-only">Change</span>,
          cell: ({ accessKeyId, user, disabled }) =>
            changeable ? (
              <div className="flex flex-wrap justify-end gap-2">
                <button type="button" className="rl-button" onClick={() => onEdit(accessKeyId)}>
                  Policy<span className="sr-only"> of {user}</span>
                </button>
                <button
                  type="button"
                  className="rl-button"
                  disabled={pending}
                  onClick={() => onChange({ action: "rotate", name: accessKeyId })}
                >
                  New secret<span className="sr-only"> of {user}</span>
                </button>
                <button
                  type="button"
                  className="rl-button"
                  disabled={pending}
                  onClick={() => onChange({ action: disabled ? "enable" : "disable", name: accessKeyId })}
                >
                  {disabled ? "Enable" : "Disable"}
                  <span className="sr-only"> {user}</span>
                </button>
                {disabled ? (
                  <button
                    type="button"
                    className="rl-button rl-button-danger"
                    disabled={pending}
                    onClick={() => onChange({ action: "remove", name: accessKeyId })}
                  >
                    Remove<span className="sr-only"> {user}</span>
                  </button>
                ) : null}
              </div>
            ) : null,
        },
      ]}
    />
  );
}
