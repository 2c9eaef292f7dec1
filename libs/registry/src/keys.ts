/** Where everything lies in the registry. All keys of a cluster begin with `/ringlight/<cluster>/`; all values are JSON. */
import { RinglightError } from "@ringlight/core";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
/** Digits of an epoch in a key, so that keys sort as numbers do. */
const EPOCH_DIGITS = 16;

/** Checks a cluster's name or a participant's id, which become parts of keys. @throws RL_BAD_REQUEST naming the rule. */
export function checkName(what: string, name: string): string {
  if (!NAME.test(name)) {
    throw new RinglightError(
      "RL_BAD_REQUEST",
      `"${name}" cannot be a ${what}: 1 to 128 letters, digits, dots, hyphens and underscores, beginning with a letter or digit`,
    );
  }
  return name;
}

/** The keys of one cluster. */
export interface RegistryKeys {
  readonly prefix: string;
  /** Identity of the cluster's data: its absence means that the data was lost. */
  readonly identity: string;
  readonly ringCurrent: string;
  readonly workers: string;
  readonly members: string;
  readonly schedulers: string;
  readonly mounts: string;
  /** The one record of all rules by path. */
  readonly policies: string;
  readonly epochs: string;
  /** The uploads of large copies that each worker has begun; outside of the view. */
  readonly copies: string;
  readonly leader: string;
  worker(id: string): string;
  member(id: string): string;
  scheduler(id: string): string;
  mount(name: string): string;
  epoch(epoch: number): string;
  /** A candidate's key: etcd's own election recipe, so that `etcdctl elect --listen <prefix>leader` reads it. */
  candidate(leaseId: string): string;
  /**
   * The ranges, [start, end), that make the view: identity; leader, members, mounts, policies and ring/current; schedulers and
   * workers. Jobs, copies and the ring's history lie beside them and are left out: they are many and change often.
   */
  readonly viewRanges: readonly { readonly start: string; readonly end: string }[];
}

/** Makes the keys of a cluster. @throws RL_BAD_REQUEST for a name that cannot be part of a key. */
export function registryKeys(cluster: string): RegistryKeys {
  const prefix = `/ringlight/${checkName("cluster name", cluster)}/`;
  return {
    prefix,
    identity: `${prefix}cluster`,
    ringCurrent: `${prefix}ring/current`,
    workers: `${prefix}workers/`,
    members: `${prefix}members/`,
    schedulers: `${prefix}schedulers/`,
    mounts: `${prefix}mounts/`,
    policies: `${prefix}policies/rules`,
    epochs: `${prefix}ring/epochs/`,
    copies: `${prefix}copies/`,
    leader: `${prefix}leader/`,
    worker: (id) => `${prefix}workers/${id}`,
    member: (id) => `${prefix}members/${id}`,
    scheduler: (id) => `${prefix}schedulers/${id}`,
    mount: (name) => `${prefix}mounts/${name}`,
    epoch: (epoch) => `${prefix}ring/epochs/${String(epoch).padStart(EPOCH_DIGITS, "0")}`,
    candidate: (leaseId) => `${prefix}leader/${BigInt(leaseId).toString(16)}`,
    viewRanges: [
      { start: `${prefix}cluster`, end: `${prefix}cluster\0` },
      { start: `${prefix}leader/`, end: `${prefix}ring/epochs/` },
      { start: `${prefix}schedulers/`, end: `${prefix}workers0` },
    ],
  };
}
