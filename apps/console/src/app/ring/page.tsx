import type { Metadata } from "next";
import { RingPage } from "../../components/ring/ring-page.tsx";

export const metadata: Metadata = { title: "Ring" };

/** Ring. */
export default function Page() {
  return <RingPage />;
}
