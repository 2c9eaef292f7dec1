"use client";
/** The form of the trace search. Each field is a parameter of the URL. */
import { MISS_REASON_NAMES } from "@ringlight/core";
import { type ReactNode, useId } from "react";
import { useCluster } from "../../state/live.tsx";
import { parseDurationMs, type TraceForm, useTraceValues } from "../../state/traces.ts";

/** The fields. */
export function TraceFilters({
  form,
  onChange,
}: {
  form: TraceForm;
  onChange: (field: keyof TraceForm, value: string) => void;
}) {
  const values = useTraceValues().data;
  const { snapshot } = useCluster();
  const id = useId();
  const badDuration = (text: string) => text !== "" && parseDurationMs(text) === undefined;
  const field = (
    name: keyof TraceForm,
    label: string,
    rest: { width: string; placeholder: string; options?: readonly string[] },
  ) => (
    <Field label={label} width={rest.width} of={`${id}-field-${name}`}>
      <input
        id={`${id}-field-${name}`}
        className="rl-input h-7! text-xs!"
        value={form[name]}
        placeholder={rest.placeholder}
        spellCheck={false}
        autoComplete="off"
        list={rest.options ? `${id}-${name}` : undefined}
        aria-invalid={(name === "min" || name === "max") && badDuration(form[name])}
        {...(name === "name" ? { "data-search": "" } : {})}
        onChange={(event) => onChange(name, event.target.value)}
      />
      {rest.options ? (
        <datalist id={`${id}-${name}`}>
          {rest.options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
      ) : null}
    </Field>
  );
  const choice = (
    name: keyof TraceForm,
    label: string,
    width: string,
    options: readonly (readonly [string, string])[],
  ) => (
    <Field label={label} width={width} of={`${id}-field-${name}`}>
      <select
        id={`${id}-field-${name}`}
        className="rl-input h-7! px-1.5! text-xs!"
        value={form[name]}
        onChange={(event) => onChange(name, event.target.value)}
      >
        {options.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </Field>
  );
  return (
    <search aria-label="Search traces" className="flex flex-wrap items-end gap-x-2.5 gap-y-2 px-4 pb-3">
      {field("name", "Name", { width: "w-44", placeholder: "s3.GetObject or s3.*", options: values?.names ?? [] })}
      {field("service", "Service", { width: "w-40", placeholder: "any", options: values?.services ?? [] })}
      {choice("outcome", "Outcome", "w-24", [
        ["", "any"],
        ["hit", "hit"],
        ["miss", "miss"],
        ["joined", "joined"],
        ["bypass", "bypass"],
      ])}
      {choice("reason", "Miss reason", "w-32", [
        ["", "any"],
        ...MISS_REASON_NAMES.map((reason): [string, string] => [reason, reason]),
      ])}
      {choice("error", "Errors", "w-24", [
        ["", "any"],
        ["true", "with"],
        ["false", "without"],
      ])}
      {field("min", "At least", { width: "w-20", placeholder: "100ms" })}
      {field("max", "At most", { width: "w-20", placeholder: "2s" })}
      {field("mount", "Mount", {
        width: "w-24",
        placeholder: "any",
        options: (snapshot?.mounts ?? []).map(({ record }) => record.name),
      })}
      {field("path", "Path", { width: "w-44", placeholder: "/mount/key" })}
      {field("instance", "Worker", {
        width: "w-24",
        placeholder: "any",
        options: (snapshot?.workers ?? []).slice(0, 500).map((worker) => worker.id),
      })}
      {field("job", "Job", { width: "w-32", placeholder: "job id" })}
      {field("attribute", "Attributes", {
        width: "min-w-48 flex-1",
        placeholder: "ringlight.worker=w1 url.path=/data/a",
        options: (values?.attributeKeys ?? []).map((key) => `${key}=`),
      })}
      {choice("limit", "Show", "w-16", [
        ["50", "50"],
        ["200", "200"],
        ["1000", "1000"],
      ])}
    </search>
  );
}

/** A control with its label; `of` is the control's id. */
function Field({ label, width, of, children }: { label: string; width: string; of: string; children: ReactNode }) {
  return (
    <div className={width}>
      <label htmlFor={of} className="mb-0.5 block text-[11px] font-medium text-subtle">
        {label}
      </label>
      {children}
    </div>
  );
}
