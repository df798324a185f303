// What a page shows that the server knows: loaded when the page opens, when
// something changed, and when one comes back to it.
import { useCallback, useEffect, useRef, useState } from "react";
import { Refused } from "../api/client";

export interface Loaded<Value> {
  value: Value | null;
  failure: string;
  reload: () => Promise<void>;
}

export function useLoaded<Value>(load: () => Promise<Value>): Loaded<Value> {
  const [value, setValue] = useState<Value | null>(null);
  const [failure, setFailure] = useState("");
  const latest = useRef(0);
  const loader = useRef(load);

  const reload = useCallback(async () => {
    const mine = ++latest.current;
    try {
      const found = await loader.current();
      if (mine !== latest.current) return;
      setValue(found);
      setFailure("");
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (mine === latest.current) setFailure(error.message);
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
  return { value, failure, reload };
}
