// What could not be reached is tried again by itself, so that the page comes back with the server.
import { useEffect } from "react";
import type { Refused } from "../api/client";

const AGAIN_MS = 5_000;
const SERVER_FAILED = 500;

/** Whether trying again may help: nothing was heard, or the server could not. */
export function isPassing(refused: Refused): boolean {
  return refused.status === 0 || refused.status >= SERVER_FAILED;
}

export function useRetry(isWanted: boolean, again: () => void): void {
  useEffect(() => {
    if (!isWanted) return;
    const timer = window.setInterval(again, AGAIN_MS);
    window.addEventListener("online", again);
    return () => {
      window.clearInterval(timer);
      window.removeEventListener("online", again);
    };
  }, [isWanted, again]);
}
