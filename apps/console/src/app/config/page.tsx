import type { Metadata } from "next";
import { ConfigPage } from "../../components/config/config-page.tsx";

export const metadata: Metadata = { title: "Config" };

/** Settings of all processes. */
export default function Page() {
  return <ConfigPage />;
}
