// Something that must not outlive the page: forgotten before the page is kept for "Back", or left.
import { useEffect, useRef } from "react";
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
