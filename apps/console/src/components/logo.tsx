/** The mark: a ring in three arcs. */
export function Logo() {
  return (
    <svg width="22" height="22" viewBox="0 0 32 32" fill="none" strokeWidth="5.5" aria-hidden="true">
      <circle
        cx="16"
        cy="16"
        r="11.5"
        stroke="var(--rl-tier-mem)"
        strokeDasharray="29 44"
        transform="rotate(-90 16 16)"
      />
      <circle
        cx="16"
        cy="16"
        r="11.5"
        stroke="var(--rl-tier-ssd)"
        strokeDasharray="20 53"
        transform="rotate(58 16 16)"
      />
      <circle cx="16" cy="16" r="11.5" stroke="var(--rl-ufs)" strokeDasharray="17 56" transform="rotate(162 16 16)" />
    </svg>
  );
}
