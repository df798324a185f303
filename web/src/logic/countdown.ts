// How long until a moment, as people read it.

export function secondsLeft(untilMs: number, nowMs: number): number {
  return Math.max(0, Math.ceil((untilMs - nowMs) / 1000));
}

export function leftText(seconds: number): string {
  return seconds > 120 ? `${Math.ceil(seconds / 60)} min` : `${seconds} s`;
}
