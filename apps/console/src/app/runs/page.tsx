import type { Metadata } from "next";
import { RunsPage } from "../../components/bench/runs-page.tsx";

export const metadata: Metadata = { title: "Runs" };

/** Benchmark runs. */
export default function Page() {
  return <RunsPage />;
}
