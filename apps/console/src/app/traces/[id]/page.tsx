import type { Metadata } from "next";
import { TracePage } from "../../../components/traces/trace-page.tsx";

export const metadata: Metadata = { title: "Trace" };

type Props = { params: Promise<{ id: string }> };

/** One trace. */
export default async function Page({ params }: Props) {
  return <TracePage id={decodeURIComponent((await params).id)} />;
}
