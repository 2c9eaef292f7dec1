"use client";
import { CopyCommand, Icon, Panel } from "@ringlight/ui";
import type { NewSecretView } from "../../wire.ts";

/** A new secret, to be copied now: nobody can show it again. */
export function NewSecret({ secret, onClose }: { secret: NewSecretView; onClose: () => void }) {
  return (
    <Panel
      title="Copy the secret now"
      hint="it is not shown again"
      actions={
        <button type="button" className="rl-icon-button" aria-label="Close the secret" onClick={onClose}>
          <Icon name="close" />
        </button>
      }
    >
      <div className="space-y-2" role="status" data-testid="new-secret">
        <p className="text-[13px] text-muted">
          Workers take it within two seconds; an older secret of the key ends then.
        </p>
        <CopyCommand command={`export AWS_ACCESS_KEY_ID=${secret.accessKeyId}`} />
        <CopyCommand command={`export AWS_SECRET_ACCESS_KEY=${secret.secretAccessKey}`} />
      </div>
    </Panel>
  );
}
