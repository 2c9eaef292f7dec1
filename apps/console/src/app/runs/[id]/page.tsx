import type { Metadata } from "next";
import { RunPage } from "../../../components/bench/run-page.tsx";

type Props = { params: Promise<{ id: string }> };

/** The tab bears the run's name. */
export async function generateMetadata({ params }: Props): Promise<Metadata> {
  return { title: decodeURIComponent((await params).id) };
}

/** One benchmark run. */
export default async function Page({ params }: Props) {
  return <RunPage id={decodeURIComponent((await params).id)} />;
}
