"use client";
import { CopyCommand, ErrorState, Icon, Panel } from "@ringlight/ui";
import { useEffect, useId, useRef, useState } from "react";
import { shellWord } from "../../state/shell-word.ts";
import type { AccessKeyView, ErrorBody } from "../../wire.ts";
import type { KeyRequest } from "./keys-page.tsx";

const READ_ONE_FOLDER = JSON.stringify(
  {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "s3:GetObject", Resource: "arn:aws:s3:::bucket/folder/*" },
      {
        Effect: "Allow",
        Action: "s3:ListBucket",
        Resource: "arn:aws:s3:::bucket",
        Condition: { StringLike: { "s3:prefix": "folder/*" } },
      },
    ],
  },
  null,
  2,
);

/** Adds a key, or changes the policy of one. */
export function KeyForm(props: {
  /** The key whose policy is changed; undefined for a new key. */
  readonly known: AccessKeyView | undefined;
  readonly pending: boolean;
  readonly error: ErrorBody | null;
  readonly onSend: (request: KeyRequest) => void;
  readonly onClose: () => void;
}) {
  const { known, pending, error, onSend, onClose } = props;
  const [user, setUser] = useState("");
  const [policy, setPolicy] = useState(known?.policy ?? "");
  const id = useId();
  const first = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  useEffect(() => first.current?.focus(), []);
  const title = known ? `Policy of ${known.user}` : "Add a key";
  const full = policy.trim() === "";
  const command = known
    ? `ringlight key policy ${known.accessKeyId} ${full ? "--full-access" : "policy.json"}`
    : `ringlight key add --user ${shellWord(user || "name")}${full ? "" : " --policy policy.json"}`;
  return (
    <Panel
      title={title}
      actions={
        <button type="button" className="rl-icon-button" aria-label="Close the form" onClick={onClose}>
          <Icon name="close" />
        </button>
      }
    >
      <form
        className="space-y-3"
        aria-label={title}
        onSubmit={(event) => {
          event.preventDefault();
          onSend(known ? { action: "policy", name: known.accessKeyId, policy } : { action: "add", name: user, policy });
        }}
      >
        {known ? null : (
          <div className="max-w-80">
            <label htmlFor={`${id}-user`} className="text-[13px] font-medium">
              User
            </label>
            <input
              id={`${id}-user`}
              ref={first}
              className="rl-input mt-1"
              required
              pattern="[\w+=,.@\-]{1,64}"
              placeholder="analytics"
              value={user}
              onChange={(event) => setUser(event.target.value)}
            />
          </div>
        )}
        <div>
          <label htmlFor={`${id}-policy`} className="text-[13px] font-medium">
            Policy
          </label>
          <p id={`${id}-hint`} className="text-xs text-subtle">
            JSON as IAM has it; empty allows everything. Buckets are the mounts.
          </p>
          <textarea
            id={`${id}-policy`}
            ref={known ? first : undefined}
            aria-describedby={`${id}-hint`}
            className="rl-input mt-1 min-h-40 font-mono text-xs"
            spellCheck={false}
            placeholder={READ_ONE_FOLDER}
            value={policy}
            onChange={(event) => setPolicy(event.target.value)}
          />
        </div>
        {error ? <ErrorState error={error} /> : null}
        <div className="flex flex-wrap items-center gap-2">
          <button type="submit" className="rl-button rl-button-primary" disabled={pending}>
            {pending ? "Saving…" : known ? "Save the policy" : "Add key"}
          </button>
          <button type="button" className="rl-button" onClick={() => setPolicy(READ_ONE_FOLDER)}>
            Reading one folder
          </button>
          <div className="min-w-0 sm:ml-auto">
            <CopyCommand command={command} />
          </div>
        </div>
      </form>
    </Panel>
  );
}
