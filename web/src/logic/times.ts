// Moments as the server writes them, and as people read them; always UTC.

/** `2026-11-27T21:05:03.123456789Z` → `2026-11-27 21:05 UTC`; what is no moment stays as it is. */
export function momentText(at: string): string {
  const found = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})/.exec(at);
  return found ? `${found[1]} ${found[2]} UTC` : at;
}

/** Whole days from one moment to another, in milliseconds since 1970; negative when it has passed. */
export function daysUntil(at: string, nowMs: number): number {
  return Math.floor((Date.parse(at) - nowMs) / 86_400_000);
}
