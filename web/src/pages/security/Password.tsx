// A new password; every other session ends with it.
import { type FormEvent, useState } from "react";
import * as calls from "../../api/calls";
import { useMe } from "../../app/session";
import { useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { Field } from "../../parts/Field";
import { Notice } from "../../parts/Notice";
import { PasswordField } from "../../parts/PasswordField";
import { Section } from "../../parts/Section";
import { repeatedWrong } from "../entering/becoming";

const OF_NEW = ["password_weak"];
const OF_OLD = ["password_wrong"];

export function Password() {
  const me = useMe();
  const [password, setPassword] = useState("");
  const [chosen, setChosen] = useState("");
  const [again, setAgain] = useState("");
  const [differs, setDiffers] = useState("");
  const [totp, setTotp] = useState("");
  const [isDone, setIsDone] = useState(false);
  const task = useTask();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const wrong = repeatedWrong(chosen, again);
    setDiffers(wrong);
    setIsDone(false);
    if (wrong) return;
    void task.run(async () => {
      await calls.changePassword({ password, new_password: chosen, totp: totp.trim() });
      for (const clear of [setPassword, setChosen, setAgain, setTotp]) clear("");
      setIsDone(true);
    });
  };
  const said = (codes: string[]) => (task.refused && codes.includes(task.refused.code) ? task.refused.message : "");
  return (
    <Section title="Password">
      <form onSubmit={submit} className="stack">
        {isDone && <Notice tone="good">Your password is changed. Your other sessions have ended.</Notice>}
        {task.refused && !said([...OF_NEW, ...OF_OLD]) && <Notice tone="wrong">{task.refused.message}</Notice>}
        <PasswordField label="Current password" value={password} onValue={setPassword} error={said(OF_OLD)} />
        <PasswordField label="New password" isNew value={chosen} onValue={setChosen} error={said(OF_NEW)} />
        <PasswordField label="New password again" isNew isAgain value={again} onValue={setAgain} error={differs} />
        {me.two_factor && (
          <Field
            label="Authenticator code"
            className="field-code"
            value={totp}
            onChange={(event) => setTotp(event.target.value)}
            hint="six digits, or a recovery code"
          />
        )}
        <div className="buttons">
          <Button type="submit" isBusy={task.isBusy}>
            Change password
          </Button>
        </div>
      </form>
    </Section>
  );
}
