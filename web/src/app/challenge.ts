// One granting operation of a form: its code sent, and both codes given.
import { useEffect, useReducer, useState } from "react";
import * as calls from "../api/calls";
import { Refused } from "../api/client";
import type { Action, ChallengeShown, PayloadOf, ResultOf } from "../api/words";
import { next, type Phase } from "../logic/challenge";
import { useSecondsLeft } from "./countdown";
import { type Task, useTask } from "./task";

// When the next code of an action may be sent. The limit is the user's, whichever form asks.
const nextAtMs = new Map<Action, number>();

type Done<A extends Action> = (result: ResultOf<A>) => void | Promise<void>;

export interface Challenge<A extends Action> {
  phase: Phase;
  sending: Task;
  confirming: Task;
  /** Until another code can be sent. */
  secondsLeft: number;
  /** Until the code that was sent is too old. */
  codeLeft: number;
  send: () => Promise<boolean>;
  confirm: (code: string, totp: string, done: Done<A>) => Promise<boolean>;
}

export function useChallenge<A extends Action>(action: A, payload: PayloadOf<A>): Challenge<A> {
  const said = JSON.stringify(payload);
  const [phase, happen] = useReducer(next, { is: "none" });
  const [untilMs, setUntilMs] = useState(nextAtMs.get(action) ?? 0);
  const secondsLeft = useSecondsLeft(untilMs);
  const lateMs = phase.is === "sent" ? phase.untilMs : 0;
  const codeLeft = useSecondsLeft(lateMs);
  const isLate = lateMs > 0 && codeLeft === 0 && Date.now() >= lateMs;
  useEffect(() => {
    if (isLate) happen({ is: "late" });
  }, [isLate]);
  const sending = useTask();
  const confirming = useTask();
  const { clear } = sending;
  useEffect(() => {
    happen({ is: "form", payload: said });
    clear();
  }, [said, clear]);

  const wait = (seconds: number) => {
    const atMs = Date.now() + seconds * 1000;
    nextAtMs.set(action, atMs);
    setUntilMs(atMs);
  };
  const send = () =>
    sending.run(async () => {
      confirming.clear();
      try {
        const shown = await calls.ask(action, payload);
        wait(shown.resend_after_s);
        happen({ is: "sent", challenge: shown.challenge, sentTo: shown.sent_to, untilMs: untilOf(shown), payload: said });
      } catch (error) {
        if (error instanceof Refused && error.retryAfterS > 0 && error.status === 429) wait(error.retryAfterS);
        throw error;
      }
    });
  const confirm = (code: string, totp: string, done: Done<A>) =>
    confirming.run(async () => {
      if (phase.is !== "sent" || phase.payload !== said) return;
      let result: ResultOf<A>;
      try {
        result = await calls.confirm(action, phase.challenge, code, totp);
      } catch (error) {
        if (error instanceof Refused) happen({ is: "refused", code: error.code, message: error.message });
        throw error;
      }
      await done(result);
    });
  return { phase, sending, confirming, secondsLeft, codeLeft, send, confirm };
}

/** By this machine's clock, whatever the server's says. */
function untilOf(shown: ChallengeShown): number {
  return Date.now() + shown.expires_after_s * 1000;
}
