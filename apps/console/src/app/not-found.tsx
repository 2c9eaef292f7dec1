import Link from "next/link";
import { PAGES } from "../pages.ts";

/** An address that no page has. */
export default function NotFound() {
  return (
    <div className="mx-auto max-w-xl py-16">
      <h1 className="text-xl font-semibold tracking-tight">There is no page at this address</h1>
      <p className="mt-2 text-[13px] text-muted">The pages of this console:</p>
      <ul className="mt-3 grid grid-cols-2 gap-x-6 gap-y-1.5 text-[13px] sm:grid-cols-3">
        {PAGES.map((page) => (
          <li key={page.href}>
            <Link className="rl-link" href={page.href}>
              {page.name}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
