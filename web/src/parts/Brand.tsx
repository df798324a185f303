// The name, with its mark: a line through a ring.
export function Brand() {
  return (
    <span className="brand">
      <svg viewBox="0 0 32 32" aria-hidden="true" className="brand-mark">
        <circle cx="16" cy="16" r="9" fill="none" strokeWidth="3.2" className="brand-ring" />
        <path d="M1 22C9 22 11 16 16 16S23 10 31 10" fill="none" strokeWidth="2.8" strokeLinecap="round" className="brand-line" />
      </svg>
      Fairlead
    </span>
  );
}
