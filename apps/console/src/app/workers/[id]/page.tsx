import type { Metadata } from "next";
import { WorkerPage } from "../../../components/workers/worker-page.tsx";

type Props = { params: Promise<{ id: string }> };

/** The tab bears the worker's name. */
export async function generateMetadata({ params }: Props): Promise<Metadata> {
  return { title: decodeURIComponent((await params).id) };
}

/** One worker. */
export default async function Page({ params }: Props) {
  return <WorkerPage id={decodeURIComponent((await params).id)} />;
}
