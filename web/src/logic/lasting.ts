// How long a key lasts, as a list to choose from.

export const DAYS_DEFAULT = 90;
const DAYS = [7, 30, 90, 180, 365, 730] as const;
export const KEEP = "keep";
export const NEVER = "never";

export interface Lasting {
  value: string;
  text: string;
}

const LAST: Lasting = { value: NEVER, text: "Never expires (not recommended)" };

export const OF_NEW: readonly Lasting[] = [
  ...DAYS.map((days) => ({ value: String(days), text: days === DAYS_DEFAULT ? `${days} days (default)` : `${days} days` })),
  LAST,
];

/** For a key that there is; `ends` is its end as it reads, empty: never. */
export function ofExisting(ends: string): Lasting[] {
  return [
    { value: KEEP, text: ends ? `As it is (${ends})` : "As it is (never)" },
    ...DAYS.map((days) => ({ value: String(days), text: `${days} days from now` })),
    ...(ends ? [LAST] : []),
  ];
}

/** The days that a new key lasts; null: for ever. */
export function daysOf(value: string): number | null {
  return value === NEVER ? null : Number(value);
}

/** The days from now that a key there is lasts; null: its end stays. */
export function daysLeftOf(value: string): number | "never" | null {
  if (value === KEEP) return null;
  return value === NEVER ? NEVER : Number(value);
}
