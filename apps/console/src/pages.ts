/** The pages of the console: what the navigation, the keyboard and the command palette all read. */
import type { IconName } from "@ringlight/ui";

/** One page. */
export interface PageEntry {
  readonly href: string;
  readonly name: string;
  readonly icon: IconName;
  /** The key that leads there after `g`. */
  readonly key: string;
  /** Words by which the palette finds it besides its name. */
  readonly words: string;
}

/** Pages by what they are about, in the order of the navigation. */
export const PAGE_GROUPS: readonly { readonly name: string; readonly pages: readonly PageEntry[] }[] = [
  {
    name: "Cluster",
    pages: [
      {
        href: "/",
        name: "Overview",
        icon: "overview",
        key: "o",
        words: "home problems health requests latency errors",
      },
      { href: "/ring", name: "Ring", icon: "ring", key: "r", words: "placement arcs owners epochs what-if balance" },
      { href: "/workers", name: "Workers", icon: "workers", key: "w", words: "members nodes tiers disks profile" },
      { href: "/mounts", name: "Mounts", icon: "mounts", key: "m", words: "ufs store bucket credentials" },
    ],
  },
  {
    name: "Data",
    pages: [
      {
        href: "/cache",
        name: "Cache",
        icon: "cache",
        key: "c",
        words: "hit rate tiers eviction miss-ratio working set",
      },
      { href: "/explain", name: "Explain", icon: "explain", key: "e", words: "why miss slow path request" },
      { href: "/browse", name: "Browse", icon: "browse", key: "b", words: "files folders namespace" },
      { href: "/jobs", name: "Jobs", icon: "jobs", key: "j", words: "load free sync scrub progress" },
    ],
  },
  {
    name: "Signals",
    pages: [
      { href: "/traces", name: "Traces", icon: "traces", key: "t", words: "spans waterfall requests slow" },
      { href: "/logs", name: "Logs", icon: "logs", key: "l", words: "messages errors tail" },
      { href: "/runs", name: "Runs", icon: "chart", key: "u", words: "benchmark bench compare workload results" },
      { href: "/events", name: "Events", icon: "events", key: "v", words: "history changes what changed when" },
    ],
  },
  {
    name: "Settings",
    pages: [
      { href: "/config", name: "Config", icon: "config", key: "f", words: "settings values origin default" },
      { href: "/keys", name: "Access keys", icon: "key", key: "k", words: "secrets users policy" },
    ],
  },
];

/** All pages, in order. */
export const PAGES: readonly PageEntry[] = PAGE_GROUPS.flatMap((group) => group.pages);

/** Whether a path belongs to a page. */
export function isCurrentPage(path: string, href: string): boolean {
  return href === "/" ? path === "/" : path === href || path.startsWith(`${href}/`);
}
