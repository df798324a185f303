// How long a key lasts, as a list to choose from.

export const DAYS_DEFAULT = 90;
const DAYS = [7, 30, 90, 180, 365, 730] as const;
export const KEEP = "keep";
export const NEVER = "never";

export interface Lasting {
  value: string;
  text: string;
}

export const OF_NEW: readonly Lasting[] = [
  ...DAYS.map((days) => ({ value: String(days), text: days === DAYS_DEFAULT ? `${days} days (default)` : `${days} days` })),
  { value: NEVER, text: "Never expires (not recommended)" },
];

/** For a key that there is, `ends` being its end as it reads. */
export function ofExisting(ends: string): Lasting[] {
  return [
    { value: KEEP, text: ends ? `As it is (${ends})` : "As it is (never)" },
    ...DAYS.map((days) => ({ value: String(days), text: `${days} days from now` })),
  ];
}

/** The days that were chosen; null: never for a new key, as it is for one that there is. */
export function daysOf(value: string): number | null {
  return value === KEEP || value === NEVER ? null : Number(value);
}
