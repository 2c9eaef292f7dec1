"use client";
import type { MountRecord } from "@ringlight/core";
import { CopyCommand, ErrorState } from "@ringlight/ui";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { sendJson } from "../../state/fetch-json.ts";
import { shellWord } from "../../state/shell-word.ts";
import type { ErrorBody } from "../../wire.ts";

/** Asks before a mount is removed. */
export function RemoveMount({ mount, onClose }: { mount: MountRecord; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (!dialog.current?.open) dialog.current?.showModal();
  }, []);
  const remove = useMutation<unknown, ErrorBody>({
    mutationFn: () => sendJson("DELETE", "/api/mounts", { name: mount.name }),
    onSuccess: onClose,
  });
  return (
    <dialog
      ref={dialog}
      onClose={onClose}
      aria-labelledby="remove-mount"
      className="m-auto w-[min(30rem,calc(100vw-2rem))] rounded-xl border border-line bg-overlay p-5 text-text shadow-pop backdrop:bg-black/40"
    >
      <h2 id="remove-mount" className="text-base font-semibold">
        Remove /{mount.name}?
      </h2>
      <p className="mt-2 text-[13px] text-muted">
        Its paths stop resolving on all workers at once. Nothing is deleted in{" "}
        <span className="font-mono break-all">{mount.uri}</span>; cached pages of it are evicted in time.
      </p>
      {remove.error ? <ErrorState error={remove.error} onRetry={() => remove.mutate()} /> : null}
      <div className="mt-4">
        <CopyCommand command={`ringlight mount rm ${shellWord(`/${mount.name}`)}`} />
      </div>
      <div className="mt-4 flex justify-end gap-2">
        <button type="button" className="rl-button" onClick={onClose}>
          Keep it
        </button>
        <button
          type="button"
          className="rl-button rl-button-danger"
          disabled={remove.isPending}
          onClick={() => remove.mutate()}
        >
          {remove.isPending ? "Removing…" : "Remove mount"}
        </button>
      </div>
    </dialog>
  );
}
