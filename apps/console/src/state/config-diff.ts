/** Settings of several processes side by side. */
import type { ProcessConfigView, SettingView } from "../wire.ts";

/** One setting of one kind of process, over all of them. */
export interface ConfigRow {
  readonly process: string;
  readonly key: string;
  readonly about: string;
  readonly defaultValue: string;
  /** By the value that processes have, the most frequent first. */
  readonly values: readonly {
    readonly value: string;
    readonly origins: readonly string[];
    readonly ids: readonly string[];
  }[];
  /** True where processes differ in a setting that is not theirs alone by its nature. */
  readonly differs: boolean;
  /** True where any has another value than the default. */
  readonly changed: boolean;
}

/** Settings that are different for each process because they must be. */
const OWN = new Set([
  "id",
  "dataDir",
  "advertise",
  "bind",
  "s3Port",
  "grpcPort",
  "restPort",
  "port",
  "ssdDirs",
  "memDir",
  "s3CredentialsFile",
]);

const originText = ({ origin, from }: SettingView) => (origin === "default" ? `default` : `${origin} ${from}`);

/** Rows by kind of process and key, in the order in which the processes tell them. */
export function configRows(processes: readonly ProcessConfigView[]): ConfigRow[] {
  const rows = new Map<
    string,
    { process: string; setting: SettingView; by: Map<string, { origins: Set<string>; ids: string[] }> }
  >();
  for (const { process, id, settings } of processes) {
    for (const setting of settings) {
      const name = `${process} ${setting.key}`;
      let row = rows.get(name);
      if (!row) {
        row = { process, setting, by: new Map() };
        rows.set(name, row);
      }
      let group = row.by.get(setting.value);
      if (!group) {
        group = { origins: new Set(), ids: [] };
        row.by.set(setting.value, group);
      }
      group.ids.push(id);
      group.origins.add(originText(setting));
    }
  }
  return [...rows.values()].map(({ process, setting, by }) => {
    const values = [...by]
      .map(([value, { origins, ids }]) => ({ value, origins: [...origins], ids }))
      .sort((a, b) => b.ids.length - a.ids.length || (a.value < b.value ? -1 : 1));
    return {
      process,
      key: setting.key,
      about: setting.about,
      defaultValue: setting.defaultValue,
      values,
      differs: values.length > 1 && !OWN.has(setting.key),
      changed: values.some(({ origins }) => origins.some((origin) => origin !== "default")),
    };
  });
}

/** Settings that say how much a host has; workers of one weight are taken to have the same. */
const SIZES = new Set(["mem", "ssd"]);

/** A setting in which processes of one kind differ though nothing about them says that they should. */
export interface ConfigDifference {
  readonly process: string;
  readonly key: string;
  /** By the value that processes have, the most frequent first. */
  readonly values: readonly { readonly value: string; readonly ids: readonly string[] }[];
}

/**
 * What is probably a mistake: settings that differ between processes of one kind. Ids, ports and directories are not looked at,
 * nor are weights, which say that hosts differ; sizes of tiers are compared between workers of one weight.
 */
export function unexpectedDifferences(processes: readonly ProcessConfigView[]): ConfigDifference[] {
  const weightOf = ({ settings }: ProcessConfigView) => settings.find(({ key }) => key === "weight")?.value ?? "";
  const differing = (some: readonly ProcessConfigView[], isAsked: (key: string) => boolean): ConfigDifference[] =>
    configRows(some)
      .filter((row) => row.differs && isAsked(row.key))
      .map(({ process, key, values }) => ({ process, key, values: values.map(({ value, ids }) => ({ value, ids })) }));
  const found = differing(processes, (key) => key !== "weight" && !SIZES.has(key));
  for (const some of Map.groupBy(processes, (one) => `${one.process} ${weightOf(one)}`).values()) {
    for (const one of differing(some, (key) => SIZES.has(key))) {
      if (!found.some(({ process, key }) => process === one.process && key === one.key)) found.push(one);
    }
  }
  return found;
}
