import { JobPage } from "../../../components/jobs/job-page.tsx";

/** One job. */
export default async function Page({ params }: { params: Promise<{ id: string }> }) {
  return <JobPage id={decodeURIComponent((await params).id)} />;
}
