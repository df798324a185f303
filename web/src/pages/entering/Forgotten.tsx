// A forgotten password: a code by mail, then a new password. Says nothing of whether anybody has the address.
import { type FormEvent, useState } from "react";
import * as calls from "../../api/calls";
import { go } from "../../app/router";
import { saidOf, saidOfAll, useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { Link } from "../../parts/Link";
import { Notice } from "../../parts/Notice";
import { PasswordField } from "../../parts/PasswordField";
import { repeatedWrong } from "./becoming";
import { Frame } from "./Frame";

type Step = "email" | "code" | "done";

export function Forgotten() {
  const [step, setStep] = useState<Step>("email");
  const [email, setEmail] = useState("");
  switch (step) {
    case "email":
      return <Ask email={email} onEmail={setEmail} onAsked={() => setStep("code")} />;
    case "code":
      return <Reset email={email} onDone={() => setStep("done")} onBack={() => setStep("email")} />;
    case "done":
      return (
        <Frame title="Your password is changed">
          <Notice tone="good">Every session of yours has ended. Sign in with the new password.</Notice>
          <Button look="first" onClick={() => go("/")}>
            Sign in
          </Button>
        </Frame>
      );
  }
}

function Ask(props: { email: string; onEmail: (email: string) => void; onAsked: () => void }) {
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void task.run(async () => {
      await calls.forgotten(props.email.trim());
      props.onAsked();
    });
  };
  return (
    <Frame
      title="Reset your password"
      lead="We mail a code to your address, if it is that of a user."
      below={<Link to="/">Back to the sign-in</Link>}
    >
      <form onSubmit={submit} className="stack">
        {task.refused && <Notice tone="wrong">{task.refused.message}</Notice>}
        <Field
          label="E-mail"
          type="email"
          autoComplete="username"
          autoCapitalize="none"
          required
          value={props.email}
          onChange={(event) => props.onEmail(event.target.value)}
        />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Send code
        </Button>
      </form>
    </Frame>
  );
}

const FIELDS = ["password"];

function Reset(props: { email: string; onDone: () => void; onBack: () => void }) {
  const [code, setCode] = useState("");
  const [totp, setTotp] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const [differs, setDiffers] = useState("");
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = repeatedWrong(password, again);
    setDiffers(wrong);
    if (wrong) return;
    const form = { email: props.email.trim(), code: code.replace(/\s/g, ""), totp: totp.trim(), password };
    void task.run(async () => {
      await calls.reset(form);
      props.onDone();
    });
  };
  return (
    <Frame
      title="Choose a new password"
      lead={`If ${props.email.trim()} is the address of a user, a code is on its way there.`}
      below={
        <Button look="quiet" onClick={props.onBack}>
          Ask for another code
        </Button>
      }
    >
      <form onSubmit={submit} className="stack">
        {task.refused && saidOfAll(task.refused, FIELDS) && (
          <Notice tone="wrong">{saidOfAll(task.refused, FIELDS)}</Notice>
        )}
        <Field
          label="E-mail code"
          className="field-code"
          inputMode="numeric"
          autoComplete="one-time-code"
          required
          value={code}
          onChange={(event) => setCode(event.target.value)}
          hint="eight digits"
        />
        <Field
          label="Authenticator code"
          className="field-code"
          value={totp}
          onChange={(event) => setTotp(event.target.value)}
          hint="or a recovery code; only if you have switched two-factor authentication on"
        />
        <PasswordField
          label="New password"
          isNew
          value={password}
          onValue={setPassword}
          error={saidOf(task.refused, "password")}
        />
        <PasswordField label="New password again" isNew isAgain value={again} onValue={setAgain} error={differs} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Change password
        </Button>
      </form>
    </Frame>
  );
}
