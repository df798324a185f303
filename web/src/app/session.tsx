// Who is signed in, for the whole page; and what happens when the session ends.
import { createContext, type ReactNode, use, useCallback, useEffect, useMemo, useRef, useState } from "react";
import * as calls from "../api/calls";
import { listen, Refused } from "../api/client";
import type { Entered, Me, State } from "../api/words";
import { claimDrafts, forgetDrafts, holdDrafts } from "./drafts";
import { useRetry } from "./retrying";

const IDLE_S = 30 * 60; // the server's; asked a little later, so that asking keeps nothing alive
const AFTER_S = 5;

export interface Session {
  state: State;
  me: Me | null;
  hasEnded: boolean;
  refresh: () => Promise<void>;
  entered: (said: Entered) => Promise<void>;
  /** Sign out, from whatever step. */
  leave: () => Promise<void>;
  changed: (me: Me) => void;
}

type Look = { state: State; me: Me | null };
const Context = createContext<Session | null>(null);

export function useSession(): Session {
  const session = use(Context);
  if (session === null) throw new Error("no session around this component");
  return session;
}

/** Who is signed in, of a component that nobody else sees. */
export function useMe(): Me {
  const { me } = useSession();
  if (me === null) throw new Error("nobody is signed in");
  return me;
}

async function look(): Promise<Look> {
  const state = await calls.state();
  return { state, me: state.signed_in ? await calls.me() : null };
}

const isOver = (error: unknown) => error instanceof Refused && error.isSessionOver;

export function SessionProvider(props: {
  children: ReactNode;
  waiting: ReactNode;
  unreachable: (message: string, again: () => void) => ReactNode;
}) {
  const [seen, setSeen] = useState<Look | null>(null);
  const [hasEnded, setHasEnded] = useState(false);
  const [failure, setFailure] = useState("");
  const wasIn = useRef(false);

  const refresh = useCallback(async () => {
    try {
      const looked = await look();
      if (wasIn.current && !looked.me) {
        holdDrafts();
        setHasEnded(true);
      }
      if (looked.me) claimDrafts(looked.me.user);
      wasIn.current = looked.me !== null;
      setSeen(looked);
      setFailure("");
    } catch (error) {
      if (!isOver(error)) setFailure(error instanceof Error ? error.message : String(error));
    }
  }, []);

  const entered = useCallback(async () => {
    setHasEnded(false);
    await refresh();
  }, [refresh]);

  const leave = useCallback(async () => {
    await calls.signOut();
    forgetDrafts();
    wasIn.current = false; // it does not end by itself
    await refresh();
  }, [refresh]);

  useEffect(() => {
    let timer = 0;
    const over = () => void refresh();
    const called = () => {
      window.clearTimeout(timer);
      timer = window.setTimeout(() => void refresh(), (IDLE_S + AFTER_S) * 1000);
    };
    listen(over, called);
    void refresh();
    const returned = (event: PageTransitionEvent) => {
      if (event.persisted) void refresh();
    };
    // Meanwhile the session may have ended, or another tab may have signed in as somebody else.
    const seenAgain = () => {
      if (document.visibilityState === "visible") void refresh();
    };
    window.addEventListener("pageshow", returned);
    document.addEventListener("visibilitychange", seenAgain);
    return () => {
      window.clearTimeout(timer);
      window.removeEventListener("pageshow", returned);
      document.removeEventListener("visibilitychange", seenAgain);
    };
  }, [refresh]);

  const again = useCallback(() => void refresh(), [refresh]);
  useRetry(failure !== "", again);

  const session = useMemo<Session | null>(() => {
    if (seen === null) return null;
    const changed = (me: Me) => setSeen({ state: seen.state, me });
    return { state: seen.state, me: seen.me, hasEnded, refresh, entered, leave, changed };
  }, [seen, hasEnded, refresh, entered, leave]);

  if (session === null) {
    return failure ? props.unreachable(failure, again) : props.waiting;
  }
  return <Context value={session}>{props.children}</Context>;
}
