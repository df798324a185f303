// A forgotten password: a code by mail, then a new password. Says nothing of whether anybody has the address.
import { useState } from "react";
import * as calls from "../../api/calls";
import { useNewPassword } from "../../app/newPassword";
import { go } from "../../app/router";
import { saidOf, useTask } from "../../app/task";
import { plainCode } from "../../logic/challenge";
import { Button } from "../../parts/Button";
import { EmailField } from "../../parts/EmailField";
import { FactorField } from "../../parts/FactorField";
import { Field } from "../../parts/Field";
import { Form } from "../../parts/Form";
import { Link } from "../../parts/Link";
import { NewPasswordFields } from "../../parts/NewPasswordFields";
import { Notice } from "../../parts/Notice";
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
  const submit = () =>
    void task.run(async () => {
      await calls.forgotten(props.email.trim());
      props.onAsked();
    });
  return (
    <Frame
      title="Reset your password"
      lead="We mail a code to your address, if it is that of a user."
      below={<Link to="/">Back to the sign-in</Link>}
    >
      <Form task={task} onSubmit={submit}>
        <EmailField value={props.email} onValue={props.onEmail} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Send code
        </Button>
      </Form>
    </Frame>
  );
}

function Reset(props: { email: string; onDone: () => void; onBack: () => void }) {
  const [code, setCode] = useState("");
  const [totp, setTotp] = useState("");
  const chosen = useNewPassword();
  const task = useTask();
  const passwordWrong = saidOf(task.refused, "password");
  const submit = () => {
    if (!chosen.check()) return;
    const form = { email: props.email.trim(), code: plainCode(code), totp: totp.trim(), password: chosen.password };
    void task.run(async () => {
      await calls.reset(form);
      props.onDone();
    });
  };
  return (
    <Frame
      title="Choose a new password"
      lead={`If ${props.email.trim()} is the address of a user, a code is on its way there. It works once, for ten minutes.`}
      below={
        <Button look="quiet" onClick={props.onBack}>
          Ask for another code
        </Button>
      }
    >
      <Form task={task} saidByFields={passwordWrong} onSubmit={submit}>
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
        <FactorField
          value={totp}
          onValue={setTotp}
          hint="or a recovery code; only if you have switched two-factor authentication on"
        />
        <NewPasswordFields of={chosen} label="New password" error={passwordWrong} />
        <Button type="submit" look="first" isBusy={task.isBusy}>
          Change password
        </Button>
      </Form>
    </Frame>
  );
}
