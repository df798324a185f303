// Something is taken back: at once, by one factor, whether or not mail works.
import { useState } from "react";
import type { OneFactor } from "../api/words";
import { useMe } from "../app/session";
import { useTask } from "../app/task";
import { Button } from "./Button";
import { FactorField } from "./FactorField";
import { Form } from "./Form";
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
  const submit = () => {
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
    <Form task={task} saidByFields={ofFactor} onSubmit={submit}>
      {isByPassword ? (
        <PasswordField label="Password" value={given} onValue={setGiven} error={ofFactor} />
      ) : (
        <FactorField value={given} onValue={setGiven} error={ofFactor} />
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
    </Form>
  );
}
