import type { Metadata } from "next";
import { MountsPage } from "../../components/mounts/mounts-page.tsx";

export const metadata: Metadata = { title: "Mounts" };

/** Mounts. */
export default function Page() {
  return <MountsPage />;
}
