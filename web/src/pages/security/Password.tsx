// A new password; every other session ends with it.
import { useState } from "react";
import * as calls from "../../api/calls";
import { useNewPassword } from "../../app/newPassword";
import { useMe } from "../../app/session";
import { useTask } from "../../app/task";
import { Button } from "../../parts/Button";
import { FactorField } from "../../parts/FactorField";
import { Form } from "../../parts/Form";
import { NewPasswordFields } from "../../parts/NewPasswordFields";
import { Notice } from "../../parts/Notice";
import { PasswordField } from "../../parts/PasswordField";
import { Section } from "../../parts/Section";

const OF_NEW = ["password_weak"];
const OF_OLD = ["password_wrong"];

export function Password() {
  const me = useMe();
  const [password, setPassword] = useState("");
  const chosen = useNewPassword();
  const [totp, setTotp] = useState("");
  const [isDone, setIsDone] = useState(false);
  const task = useTask();
  const submit = () => {
    setIsDone(false);
    if (!chosen.check()) return;
    void task.run(async () => {
      await calls.changePassword({ password, new_password: chosen.password, totp: totp.trim() });
      for (const clear of [setPassword, setTotp]) clear("");
      chosen.clear();
      setIsDone(true);
    });
  };
  const said = (codes: string[]) => (task.refused && codes.includes(task.refused.code) ? task.refused.message : "");
  return (
    <Section title="Password">
      <Form task={task} saidByFields={said([...OF_NEW, ...OF_OLD])} onSubmit={submit}>
        {isDone && <Notice tone="good">Your password is changed. Your other sessions have ended.</Notice>}
        <PasswordField label="Current password" value={password} onValue={setPassword} error={said(OF_OLD)} />
        <NewPasswordFields of={chosen} label="New password" error={said(OF_NEW)} />
        {me.two_factor && <FactorField value={totp} onValue={setTotp} />}
        <div className="buttons">
          <Button type="submit" isBusy={task.isBusy}>
            Change password
          </Button>
        </div>
      </Form>
    </Section>
  );
}
