import type { Metadata } from "next";
import { CachePage } from "../../components/cache/cache-page.tsx";

export const metadata: Metadata = { title: "Cache" };

/** Cache. */
export default function Page() {
  return <CachePage />;
}
