// What a page shows that the server knows: loaded when the page opens, when
// something changed, and when one comes back to it.
import { useCallback, useEffect, useRef, useState } from "react";
import { Refused } from "../api/client";
import { isPassing, useRetry } from "./retrying";

export interface Loaded<Value> {
  value: Value | null;
  failure: string;
  reload: () => Promise<void>;
}

export function useLoaded<Value>(load: () => Promise<Value>): Loaded<Value> {
  const [value, setValue] = useState<Value | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const latest = useRef(0);
  const loader = useRef(load);

  const reload = useCallback(async () => {
    const mine = ++latest.current;
    try {
      const found = await loader.current();
      if (mine !== latest.current) return;
      setValue(found);
      setRefused(null);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (mine === latest.current) setRefused(error);
    }
  }, []);

  useEffect(() => {
    void reload();
    const seenAgain = () => {
      if (document.visibilityState === "visible") void reload();
    };
    document.addEventListener("visibilitychange", seenAgain);
    return () => {
      latest.current = -1;
      document.removeEventListener("visibilitychange", seenAgain);
    };
  }, [reload]);
  const again = useCallback(() => void reload(), [reload]);
  useRetry(refused !== null && isPassing(refused), again);
  return { value, failure: refused?.message ?? "", reload };
}
