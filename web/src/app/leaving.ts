// Something that must not outlive what shows it: forgotten before the page is kept for "Back", or left; and when it is
// closed, in memory too.
import { useEffect, useReducer, useRef } from "react";
import { flushSync } from "react-dom";

export function useForgotten(forget: () => void): void {
  const latest = useRef(forget);
  latest.current = forget;
  useEffect(() => {
    const now = () => flushSync(() => latest.current());
    window.addEventListener("pagehide", now);
    return () => window.removeEventListener("pagehide", now);
  }, []);
}

/** React keeps what it drew last for its next drawing. Once `shown` is null, draw again, so that nothing has it any more. */
export function useErased(shown: unknown): void {
  const [, draw] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    if (shown === null) draw();
  }, [shown]);
}
