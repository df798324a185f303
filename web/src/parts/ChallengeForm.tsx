// A form whose content is granted by two codes: what it says is sent, then both are given in the same step.
import { type FormEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import type { Refused } from "../api/client";
import type { Action, PayloadOf, ResultOf } from "../api/words";
import { useChallenge } from "../app/challenge";
import { useFirstWrong } from "../app/firstWrong";
import { hrefOf } from "../app/router";
import { useMe, useSession } from "../app/session";
import { leftText } from "../logic/countdown";
import { masked, plainCode } from "../logic/challenge";
import { Button } from "./Button";
import { Field } from "./Field";
import { Notice } from "./Notice";

interface Props<A extends Action> {
  action: A;
  payload: PayloadOf<A>;
  /** Whether the form is such that a code can be asked for. */
  isReady: boolean;
  /** Why no code can be asked for, where the fields do not say it. */
  notReady?: string;
  submit: string;
  isDanger?: boolean;
  /** Whether the second code is of an authenticator that is only being set up. */
  isNewFactor?: boolean;
  /** Codes of refusals that the fields show themselves. */
  shownByFields?: readonly string[];
  onRefused?: (refused: Refused | null) => void;
  /** The form is busy until it is through. */
  onDone: (result: ResultOf<A>) => void | Promise<void>;
  onCancel?: () => void;
  children?: ReactNode;
}

export function ChallengeForm<A extends Action>(props: Props<A>) {
  const challenge = useChallenge(props.action, props.payload);
  const { state } = useSession();
  const { phase, sending, confirming, secondsLeft, codeLeft } = challenge;
  const [code, setCode] = useState("");
  const [totp, setTotp] = useState("");
  const codeField = useRef<HTMLInputElement>(null);
  const form = useRef<HTMLFormElement>(null);
  const [heard, setHeard] = useState<Refused | null>(null);
  useFirstWrong(form, heard);
  const isSent = phase.is === "sent";
  const isWhole = isSent && plainCode(code) !== "" && totp.trim() !== "";

  const { onRefused } = props;
  useEffect(() => {
    onRefused?.(sending.refused);
    setHeard(sending.refused); // once the fields say it, too
  }, [onRefused, sending.refused]);
  const challengeName = isSent ? phase.challenge : "";
  useEffect(() => {
    if (challengeName) codeField.current?.focus();
  }, [challengeName]);
  useEffect(() => {
    if (phase.is === "void") setCode("");
  }, [phase.is]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!isWhole) return;
    void challenge
      .confirm(plainCode(code), totp.trim(), (result) => {
        setCode("");
        return props.onDone(result);
      })
      .then((isDone) => {
        setTotp("");
        if (!isDone) codeField.current?.focus();
      });
  };
  const isShownByFields = props.shownByFields?.includes(sending.refused?.code ?? "") ?? false;

  return (
    <form ref={form} onSubmit={submit} className="stack" noValidate>
      {props.children}
      <div className="codes">
        <Field
          label="E-mail code"
          className="field-code"
          inputMode="numeric"
          autoComplete="one-time-code"
          inputRef={codeField}
          value={code}
          onChange={(event) => setCode(event.target.value)}
          after={<Send isReady={props.isReady} isBusy={sending.isBusy} secondsLeft={secondsLeft} onSend={challenge.send} />}
          hint={
            <>
              <WhereTo isSent={isSent} sentTo={isSent ? phase.sentTo : ""} />
              {isSent && <span> Good for another {leftText(codeLeft)}.</span>}
              {isSent && state.mail === "sink" && (
                <>
                  {" "}
                  No mail server is set up:{" "}
                  <a href={hrefOf("/mail")} target="_blank" rel="noopener">
                    read it under Mail
                  </a>
                  , in a tab of its own.
                </>
              )}
              {!isSent && !props.isReady && props.notReady && <span> {props.notReady}</span>}
            </>
          }
        />
        <Field
          label="Authenticator code"
          className="field-code"
          inputMode={props.isNewFactor ? "numeric" : "text"}
          value={totp}
          onChange={(event) => setTotp(event.target.value)}
          hint={props.isNewFactor ? "six digits, of the app that you have just set up" : "six digits, or a recovery code"}
        />
      </div>
      {phase.is === "void" && (
        <Notice tone="mind" role="alert">
          {phase.why}
        </Notice>
      )}
      {sending.refused && !isShownByFields && <Notice tone="wrong">{sending.refused.message}</Notice>}
      {confirming.refused && phase.is !== "void" && <Notice tone="wrong">{confirming.refused.message}</Notice>}
      <div className="buttons">
        <Button
          type="submit"
          look={props.isDanger ? "danger" : "first"}
          disabled={!isWhole && !confirming.isBusy}
          isBusy={confirming.isBusy}
        >
          {props.submit}
        </Button>
        {props.onCancel && <Button onClick={props.onCancel}>Cancel</Button>}
      </div>
    </form>
  );
}

function WhereTo({ isSent, sentTo }: { isSent: boolean; sentTo: string }) {
  const me = useMe();
  return (
    <span role="status">
      {isSent ? `Sent to ${sentTo}. It works once.` : `Goes to ${masked(me.email)}.`}
    </span>
  );
}

function Send(props: {
  isReady: boolean;
  isBusy: boolean;
  secondsLeft: number;
  onSend: () => Promise<boolean>;
}) {
  const name = useId();
  const [hasWaited, setHasWaited] = useState(false);
  const isWaiting = props.secondsLeft > 0;
  useEffect(() => {
    if (isWaiting) setHasWaited(true);
  }, [isWaiting]);
  return (
    <>
      <Button
        disabled={!props.isReady || isWaiting}
        isBusy={props.isBusy}
        aria-describedby={isWaiting ? name : undefined}
        onClick={() => void props.onSend()}
      >
        Send code
      </Button>
      {isWaiting && (
        <span id={name} className="countdown">
          again in {leftText(props.secondsLeft)}
        </span>
      )}
      <span role="status" className="unseen">
        {hasWaited && !isWaiting ? "You can send a new code now." : ""}
      </span>
    </>
  );
}
