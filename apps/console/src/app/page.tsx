import { Overview } from "../components/overview/overview.tsx";

/** Overview. */
export default function Page() {
  return <Overview />;
}
