/** Rules by path as messages, and back. */
import { parsePolicyRules, type PolicyRule as Rule, writtenRule } from "@ringlight/core";
import type { PolicyRule } from "@ringlight/proto";

/** A rule as a message. */
export function ruleToProto({ name, path, ttlMs = 0, pin, priority, quotaBytes = 0 }: Rule): PolicyRule {
  return { name, path, ttlMs, pin, priority: priority ?? "", quotaBytes };
}

/** Rules of messages, checked as if somebody had written them. @throws RL_BAD_REQUEST naming the fields */
export function rulesFromProto(rules: readonly PolicyRule[]): readonly Rule[] {
  const written = rules.map(({ name, path, ttlMs, pin, priority, quotaBytes }) =>
    writtenRule({
      name,
      path,
      ...(ttlMs > 0 && { ttlMs }),
      ...(pin !== undefined && { pin }),
      // What it is, the check below says.
      ...(priority !== "" && { priority: priority as NonNullable<Rule["priority"]> }),
      ...(quotaBytes > 0 && { quotaBytes }),
    }),
  );
  return parsePolicyRules({ rules: written });
}
