"use client";
import { useSyncExternalStore } from "react";

const never = () => () => {};

/** This console's address, for the command lines that ask it; empty until the page is alive in the browser. */
export function useOrigin(): string {
  return useSyncExternalStore(
    never,
    () => window.location.origin,
    () => "",
  );
}
