"use client";
import { CopyCommand, ErrorState, Icon, Panel } from "@ringlight/ui";
import { useMutation } from "@tanstack/react-query";
import { type ReactNode, type Ref, useEffect, useId, useRef, useState } from "react";
import { sendJson } from "../../state/fetch-json.ts";
import { addCommand, draftErrors, EMPTY_DRAFT, type MountDraft } from "../../state/mount-words.ts";
import type { ErrorBody } from "../../wire.ts";

/** Adds a mount. A worker asks the store before the mount is accepted; Test asks and records nothing. */
export function MountForm({ onDone }: { onDone: () => void }) {
  const [draft, setDraft] = useState<MountDraft>(EMPTY_DRAFT);
  const [touched, setTouched] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const send = useMutation<{ name: string; dryRun: boolean }, ErrorBody, { dryRun: boolean }>({
    mutationFn: ({ dryRun }) => sendJson("POST", "/api/mounts", { ...draft, dryRun }),
    onSuccess: ({ dryRun }) => {
      if (!dryRun) onDone();
    },
  });
  const errors = draftErrors(draft);
  const shown = touched ? errors : {};
  const s3 = !draft.uri.startsWith("file:");
  const change = (fields: Partial<MountDraft>) => {
    setDraft((known) => ({ ...known, ...fields }));
    send.reset();
  };
  const submit = (dryRun: boolean) => {
    setTouched(true);
    if (Object.keys(errors).length === 0) send.mutate({ dryRun });
  };
  const tested = send.data?.dryRun === true;
  const text = (name: "name" | "uri" | "endpoint" | "region" | "credentials" | "freshness", placeholder: string) => ({
    value: draft[name],
    placeholder,
    invalid: shown[name] !== undefined,
    onText: (value: string) => change({ [name]: value }),
  });
  return (
    <Panel
      title="Add a mount"
      actions={
        <button type="button" className="rl-icon-button" aria-label="Close the form" onClick={onDone}>
          <Icon name="close" />
        </button>
      }
    >
      <form
        noValidate
        className="space-y-4"
        aria-label="Add a mount"
        onSubmit={(event) => {
          event.preventDefault();
          submit(false);
        }}
      >
        <div className="grid gap-x-4 gap-y-3 sm:grid-cols-2 lg:grid-cols-4">
          <Field label="Name" error={shown.name} hint="The first element of its paths, and the S3 bucket">
            {(field) => <Text {...field} {...text("name", "logs")} inputRef={first} />}
          </Field>
          <Field label="Store URI" error={shown.uri} hint="s3://bucket/prefix or file:///directory" wide>
            {(field) => <Text {...field} {...text("uri", "s3://bucket/logs")} />}
          </Field>
          <Field label="Freshness" error={shown.freshness} hint="immutable, strict, or ttl:60s">
            {(field) => <Text {...field} {...text("freshness", "ttl:60s")} />}
          </Field>
          <Field label="Endpoint" error={shown.endpoint} hint="Empty for AWS">
            {(field) => <Text {...field} {...text("endpoint", "http://host:9000")} disabled={!s3} />}
          </Field>
          <Field label="Region" error={shown.region} hint="Empty for the default">
            {(field) => <Text {...field} {...text("region", "us-east-1")} disabled={!s3} />}
          </Field>
          <Field label="Addressing" error={shown.addressing} hint="How the bucket is named in requests">
            {(field) => (
              <select
                id={field.id}
                aria-describedby={field.describedBy}
                className="rl-input"
                disabled={!s3}
                value={draft.addressing}
                onChange={(event) => change({ addressing: event.target.value })}
              >
                <option value="">default</option>
                <option value="path">path</option>
                <option value="virtual">virtual host</option>
              </select>
            )}
          </Field>
          <Field
            label="Credentials"
            error={shown.credentials}
            hint="A reference: default, anonymous, env:, profile:, file:"
          >
            {(field) => <Text {...field} {...text("credentials", "env:LOGS")} disabled={!s3} />}
          </Field>
          <Field label="Replicas" error={shown.replicas} hint="Workers that keep each segment">
            {(field) => (
              <input
                id={field.id}
                aria-describedby={field.describedBy}
                aria-invalid={shown.replicas !== undefined}
                className="rl-input tabular-nums"
                type="number"
                min={1}
                max={10}
                value={draft.replicas}
                onChange={(event) => change({ replicas: Number(event.target.value) })}
              />
            )}
          </Field>
          <div className="grid gap-1 self-center text-[13px] sm:col-span-1">
            <Choice label="Read-only" checked={draft.readOnly} onChange={(readOnly) => change({ readOnly })} />
            <Choice
              label="Anyone may read over S3, without a key"
              checked={draft.anonymousRead}
              onChange={(anonymousRead) => change({ anonymousRead })}
            />
          </div>
        </div>
        {send.error ? <ErrorState error={send.error} onRetry={() => submit(true)} /> : null}
        <div className="flex flex-wrap items-center gap-2">
          <button type="submit" className="rl-button rl-button-primary" disabled={send.isPending}>
            {send.isPending && !send.variables.dryRun ? "Adding…" : "Add mount"}
          </button>
          <button type="button" className="rl-button" disabled={send.isPending} onClick={() => submit(true)}>
            {send.isPending && send.variables.dryRun ? "Asking the store…" : "Test"}
          </button>
          <span role="status" className="text-[13px] font-medium text-ok" data-testid="mount-test-result">
            {tested ? (
              <span className="inline-flex items-center gap-1.5">
                <Icon name="check" size={15} />
                The store answers and the credentials may list it. Nothing was recorded.
              </span>
            ) : null}
          </span>
          <div className="min-w-0 sm:ml-auto">
            <CopyCommand command={addCommand(draft)} />
          </div>
        </div>
      </form>
    </Panel>
  );
}

interface FieldIds {
  readonly id: string;
  readonly describedBy: string;
}

function Field({
  label,
  hint,
  error,
  wide = false,
  children,
}: {
  label: string;
  hint: string;
  error: string | undefined;
  wide?: boolean;
  children: (ids: FieldIds) => ReactNode;
}) {
  const id = useId();
  return (
    <div className={wide ? "sm:col-span-2" : ""}>
      <label htmlFor={id} className="mb-1 block text-xs font-medium text-muted">
        {label}
      </label>
      {children({ id, describedBy: `${id}-hint` })}
      <p id={`${id}-hint`} className={`mt-1 text-xs ${error ? "font-medium text-bad" : "text-subtle"}`}>
        {error ?? hint}
      </p>
    </div>
  );
}

function Text({
  id,
  describedBy,
  value,
  placeholder,
  invalid,
  onText,
  disabled = false,
  inputRef,
}: FieldIds & {
  value: string;
  placeholder: string;
  invalid: boolean;
  onText: (value: string) => void;
  disabled?: boolean;
  inputRef?: Ref<HTMLInputElement>;
}) {
  return (
    <input
      id={id}
      ref={inputRef}
      aria-describedby={describedBy}
      aria-invalid={invalid}
      className="rl-input"
      value={value}
      placeholder={placeholder}
      disabled={disabled}
      spellCheck={false}
      autoComplete="off"
      onChange={(event) => onText(event.target.value)}
    />
  );
}

function Choice(props: {
  readonly label: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}) {
  return (
    <label className="flex items-center gap-2">
      <input
        type="checkbox"
        className="size-4 accent-(--rl-accent)"
        checked={props.checked}
        onChange={(event) => props.onChange(event.target.checked)}
      />
      {props.label}
    </label>
  );
}
