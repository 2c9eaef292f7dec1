"use client";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { LiveProvider } from "./live.tsx";

/** The query cache and the live updates of one tab. */
export function Providers({ children }: { children: ReactNode }) {
  const [client] = useState(
    // One more try, a second later: what has failed twice is said, and not after the default of three tries and seven seconds.
    () =>
      new QueryClient({ defaultOptions: { queries: { refetchOnWindowFocus: false, gcTime: 10 * 60_000, retry: 1 } } }),
  );
  return (
    <QueryClientProvider client={client}>
      <LiveProvider>{children}</LiveProvider>
    </QueryClientProvider>
  );
}
