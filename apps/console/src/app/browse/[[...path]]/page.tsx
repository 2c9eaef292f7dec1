import type { Metadata } from "next";
import { BrowsePageView } from "../../../components/browse/browse-page.tsx";

export const metadata: Metadata = { title: "Browse" };

/** The namespace, from a path on. */
export default async function Page({ params }: { params: Promise<{ path?: string[] }> }) {
  const { path = [] } = await params;
  return <BrowsePageView path={`/${path.map(decodeURIComponent).join("/")}`} />;
}
