// Taking a key out of use: at once, by one factor, whether or not mail works.
import { type FormEvent, useState } from "react";
import * as calls from "../../api/calls";
import type { Key } from "../../api/words";
import { useMe } from "../../app/session";
import { useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { Dialog } from "../../parts/Dialog";
import { Field } from "../../parts/Field";
import { Notice } from "../../parts/Notice";
import { PasswordField } from "../../parts/PasswordField";

export function DisableKey(props: { of: Key; onClose: () => void; onDone: () => void }) {
  const key = props.of;
  const { two_factor } = useMe();
  const [isByPassword, setIsByPassword] = useState(!two_factor);
  const [given, setGiven] = useState("");
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (given === "") return;
    void task.run(async () => {
      await calls.disableKey(key.kid, isByPassword ? { password: given } : { totp: given.trim() });
      props.onDone();
    });
  };
  const change = () => {
    setIsByPassword(!isByPassword);
    setGiven("");
    task.clear();
  };
  return (
    <Dialog title={`Disable ${key.label}?`} onClose={props.onClose}>
      <p>Nobody can use it until you enable it again. Its open sessions end within a second. This needs no mail.</p>
      <form onSubmit={submit} className="stack">
        {task.refused && <Notice tone="wrong">{task.refused.message}</Notice>}
        {isByPassword ? (
          <PasswordField label="Password" value={given} onValue={setGiven} />
        ) : (
          <Field
            label="Authenticator code"
            className="field-code"
            value={given}
            onChange={(event) => setGiven(event.target.value)}
            hint="six digits, or a recovery code"
          />
        )}
        <div className="buttons">
          <Button type="submit" look="danger" isBusy={task.isBusy} disabled={given === "" && !task.isBusy}>
            Disable
          </Button>
          <Button onClick={props.onClose}>Cancel</Button>
          {two_factor && (
            <Button look="quiet" onClick={change}>
              {isByPassword ? "Use your authenticator" : "Use your password"}
            </Button>
          )}
        </div>
      </form>
    </Dialog>
  );
}
