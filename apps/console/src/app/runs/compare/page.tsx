import type { Metadata } from "next";
import { ComparePage } from "../../../components/bench/compare-page.tsx";

export const metadata: Metadata = { title: "Compare runs" };

/** Two benchmark runs beside each other. */
export default function Page() {
  return <ComparePage />;
}
