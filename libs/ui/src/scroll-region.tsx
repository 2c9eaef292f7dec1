import type { ComponentPropsWithRef } from "react";

/** A named region that scrolls within itself. It takes the focus, so that arrows and Page Down move it where nothing in it does. */
export function ScrollRegion({ label, ...rest }: { label: string } & ComponentPropsWithRef<"section">) {
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
  return <section {...rest} aria-label={label} tabIndex={0} />;
}
