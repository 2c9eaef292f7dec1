/** The scheduler's gRPC service for rules by path, and what the REST door calls. The registry orders changes, so that any scheduler takes them. */
import { type PolicyRule, type Registry, RinglightError } from "@ringlight/core";
import { type PolicyServiceServer, PolicyServiceService } from "@ringlight/proto";
import { rulesFromProto, ruleToProto, unary } from "@ringlight/rpc";

/** The service's definition, for the server. */
export const policyServiceDefinition: typeof PolicyServiceService = PolicyServiceService;

/** The rules before and after a change. */
export interface ChangedPolicies {
  readonly before: readonly PolicyRule[];
  readonly after: readonly PolicyRule[];
}

/** The calls, for every door. */
export interface PolicyCalls {
  list(): readonly PolicyRule[];
  /** Replaces all rules; with `dryRun` it only says what would change. @throws RL_BAD_REQUEST, RL_REGISTRY_UNAVAILABLE, RL_CONFLICT */
  apply(rules: readonly PolicyRule[], dryRun: boolean): Promise<ChangedPolicies>;
  /** Takes rules out. @throws RL_NOT_FOUND naming the first that is not there */
  remove(names: readonly string[], dryRun: boolean): Promise<ChangedPolicies>;
}

/** The calls over a registry. */
export function policyCalls(registry: Registry): PolicyCalls {
  const change = async (make: (rules: readonly PolicyRule[]) => readonly PolicyRule[], dryRun: boolean) => {
    if (!dryRun) return registry.changePolicies(make);
    const before = registry.view().policies;
    return { before, after: make(before) };
  };
  return {
    list: () => registry.view().policies,
    apply: (rules, dryRun) => change(() => rules, dryRun),
    remove: (names, dryRun) =>
      change((rules) => {
        const unknown = names.find((name) => !rules.some((rule) => rule.name === name));
        if (unknown !== undefined) throw new RinglightError("RL_NOT_FOUND", `there is no rule named "${unknown}"`);
        return rules.filter(({ name }) => !names.includes(name));
      }, dryRun),
  };
}

/** The service's implementation. */
export function policyService(calls: PolicyCalls): PolicyServiceServer {
  const toProto = ({ before, after }: ChangedPolicies) => ({
    before: before.map(ruleToProto),
    after: after.map(ruleToProto),
  });
  return {
    getPolicies: unary(async () => ({ rules: calls.list().map(ruleToProto) })),
    applyPolicies: unary(async ({ rules, dryRun }) => toProto(await calls.apply(rulesFromProto(rules), dryRun))),
    removePolicies: unary(async ({ names, dryRun }) => toProto(await calls.remove(names, dryRun))),
  };
}
