// Something is taken back: at once, by one factor, whether or not mail works.
import { type FormEvent, useState } from "react";
import type { OneFactor } from "../api/words";
import { useMe } from "../app/session";
import { useTask } from "../app/task";
import { Button } from "./Button";
import { Field } from "./Field";
import { Notice } from "./Notice";
import { PasswordField } from "./PasswordField";

export function OneFactorForm(props: {
  submit: string;
  /** Raises Refused. */
  take: (factor: OneFactor) => Promise<void>;
  onCancel: () => void;
}) {
  const { two_factor } = useMe();
  const [isByPassword, setIsByPassword] = useState(!two_factor);
  const [given, setGiven] = useState("");
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (given === "") return;
    void task.run(() => props.take(isByPassword ? { password: given } : { totp: given.trim() }));
  };
  const change = () => {
    setIsByPassword(!isByPassword);
    setGiven("");
    task.clear();
  };
  const ofFactor = task.refused?.code === "factor_wrong" ? task.refused.message : "";
  return (
    <form onSubmit={submit} className="stack">
      {task.refused && !ofFactor && <Notice tone="wrong">{task.refused.message}</Notice>}
      {isByPassword ? (
        <PasswordField label="Password" value={given} onValue={setGiven} error={ofFactor} />
      ) : (
        <Field
          label="Authenticator code"
          className="field-code"
          value={given}
          onChange={(event) => setGiven(event.target.value)}
          hint="six digits, or a recovery code"
          error={ofFactor}
        />
      )}
      <div className="buttons">
        <Button type="submit" look="danger" isBusy={task.isBusy} disabled={given === "" && !task.isBusy}>
          {props.submit}
        </Button>
        <Button onClick={props.onCancel}>Cancel</Button>
        {two_factor && (
          <Button look="quiet" onClick={change}>
            {isByPassword ? "Use your authenticator" : "Use your password"}
          </Button>
        )}
      </div>
    </form>
  );
}
