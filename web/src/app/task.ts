// One thing that a person asked for and that takes a while: whether it is under way, and why it was refused.
import { useCallback, useEffect, useRef, useState } from "react";
import { Refused } from "../api/client";

export interface Task {
  isBusy: boolean;
  refused: Refused | null;
  /** Do it, unless it is being done; false when it was refused. */
  run: (work: () => Promise<void>) => Promise<boolean>;
  clear: () => void;
}

export function useTask(): Task {
  const [isBusy, setIsBusy] = useState(false);
  const [refused, setRefused] = useState<Refused | null>(null);
  const isRunning = useRef(false);
  const isMounted = useRef(true);
  useEffect(() => {
    isMounted.current = true;
    return () => {
      isMounted.current = false;
    };
  }, []);

  const run = useCallback(async (work: () => Promise<void>) => {
    if (isRunning.current) return false;
    isRunning.current = true;
    setIsBusy(true);
    setRefused(null);
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (isMounted.current) setRefused(error);
      return false;
    } finally {
      isRunning.current = false;
      if (isMounted.current) setIsBusy(false);
    }
  }, []);
  const clear = useCallback(() => setRefused(null), []);
  return { isBusy, refused, run, clear };
}

/** What a refusal says of one field of a form; the fields that a form has are `fields`. */
export function saidOf(refused: Refused | null, field: string): string {
  return refused?.problem.field === field ? refused.message : "";
}
