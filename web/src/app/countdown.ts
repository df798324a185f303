// Counts down to a moment, for as long as it is looked at.
import { useEffect, useState } from "react";
import { secondsLeft } from "../logic/countdown";

const LOOK_MS = 250;

export function useSecondsLeft(untilMs: number): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    setNowMs(Date.now());
    if (secondsLeft(untilMs, Date.now()) === 0) return;
    const timer = window.setInterval(() => {
      setNowMs(Date.now());
      if (secondsLeft(untilMs, Date.now()) === 0) window.clearInterval(timer);
    }, LOOK_MS);
    return () => window.clearInterval(timer);
  }, [untilMs]);
  return secondsLeft(untilMs, nowMs);
}
